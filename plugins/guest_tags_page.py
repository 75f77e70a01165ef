"""The page "Guest tags" in Airflow's UI.

Every Airflow process imports this file: it names the page and imports nothing. The API server alone asks for the app.
"""

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin


class GuestTagsPage(AirflowPlugin):
    """An entry of the navigation that shows the page in a frame. Addresses are relative: Airflow may live below a path."""

    name = "guest_tags"
    external_views: ClassVar[list[dict[str, Any]]] = [  # type: ignore[misc]
        {
            "name": "Guest tags",
            "href": "guest-tags/",
            "url_route": "guest-tags",
            "destination": "nav",
            "nav_top_level": True,
            "icon": "guest-tags/static/icon.svg",
            "icon_dark_mode": "guest-tags/static/icon-dark.svg",
        }
    ]

    @property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """The app, made when it is first asked for."""
        from guest_tags.page import app

        return [{"app": app, "url_prefix": "/guest-tags", "name": "Guest tags"}]
