"""The HTTP side of the page "Guest tags": one HTML file, its assets, and one address for each block of numbers.

Airflow does not protect the apps of plugins, so this one asks Airflow itself: whoever may see plugins in Airflow may see the
page. Nothing of it is open, not even its looks. The browser chooses among the addresses below and their parameters, all of
which are checked here and bound in SQL; it never sends SQL.
"""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity, DagDetails
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_view
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, Field

from guest_tags import reader

STATIC = Path(__file__).with_name("static")
ASSETS = {
    file.relative_to(STATIC).as_posix(): file
    for file in STATIC.rglob("*")
    if file.suffix in (".css", ".js", ".json", ".svg")
}
DAY_H = 24
# Longer windows of orders are told by the day: more bars than pixels say nothing.
HOURS_UP_TO_DAYS = 7
# What the page's buttons start.
DAGS = (
    *("tag_rules", "tag_rule_rehearse", "audience_export", "audience_approve"),
    *("data_checks", "dead_letters_replay", "orders_micro_batch"),
)
# What a role must be allowed to read to see single guests; the page alone shows sums.
GUEST_DATA = "Guest data"

SECURITY_HEADERS = {
    # Everything comes from here: no foreign script, style or font, nothing inline, and only Airflow may frame it.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Numbers change every minute, and a page of yesterday's release would not understand today's.
    "Cache-Control": "no-cache",
}

Rows = dict[str, list[dict[str, Any]]]
Days = Annotated[int, Query(ge=1, le=366, description="how many days back")]
# PostgreSQL's text holds no zero byte. Ids are the app's own and opaque, so nothing else is asked of them.
Text = Annotated[str, Query(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
GuestId = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]

app = FastAPI(
    title="Guest tags",
    dependencies=[Depends(requires_access_view(AccessView.PLUGINS))],
    # These would be open to everybody: FastAPI adds them beside the dependencies.
    docs_url=None,
    redoc_url=None,
    openapi_url=None,
)


@app.middleware("http")
async def add_security_headers(request: Request, call_next: Any) -> Response:
    """Put the headers on every answer, refusals included."""
    response: Response = await call_next(request)
    response.headers.update(SECURITY_HEADERS)
    # Ids of guests are among the answers: they stay in no cache, nor on a disk.
    if "/api/" in request.url.path:
        response.headers["Cache-Control"] = "no-store"
    return response


@app.exception_handler(reader.UnavailableError)
def say_why(_: Request, error: reader.UnavailableError) -> JSONResponse:
    """Answer 503 with a word for the page and a sentence for people; the log has the rest."""
    return JSONResponse({"code": error.code, "detail": str(error)}, status_code=503)


@app.exception_handler(RequestValidationError)
def say_what_is_wrong(_: Request, error: RequestValidationError) -> JSONResponse:
    """Answer 422 with one sentence for each parameter that is not as it should be."""
    wrong = "; ".join(f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors())
    return JSONResponse({"code": "bad_request", "detail": wrong}, status_code=422)


def from_the_page_itself(request: Request) -> None:
    """Refuse what a form of another site could send with this person's session."""
    origin, host = request.headers.get("Origin"), request.headers.get("Host")
    if not origin or urlsplit(origin).netloc != host:
        raise HTTPException(403, "asked for from another place than this page")
    if request.headers.get("Content-Type", "").split(";")[0].strip() != "application/json":
        raise HTTPException(403, "must be application/json")


def _may_start(dag_id: str, user: Any) -> bool:
    return get_auth_manager().is_authorized_dag(
        method="POST", access_entity=DagAccessEntity.RUN, details=DagDetails(id=dag_id), user=user
    )


def _may_see_guests(user: Any) -> bool:
    manager = get_auth_manager()
    # It knows no right but its own, and would say yes to whoever may look at anything.
    if isinstance(manager, SimpleAuthManager):
        return _may_start("tag_rule_rehearse", user)
    return manager.is_authorized_custom_view(method="GET", resource_name=GUEST_DATA, user=user)


def of_guests(user: GetUserDep) -> str:
    """Return the name of who asks; refuse whoever may see sums and no single guest."""
    if not _may_see_guests(user):
        raise HTTPException(403, f"single guests are for those whose role may read {GUEST_DATA!r} (docs/page.md)")
    return str(user.get_name())


@app.get("/")
def page() -> FileResponse:
    """Return the page."""
    return FileResponse(STATIC / "index.html")


@app.get("/static/{name:path}")
def asset(name: str) -> FileResponse:
    """Return a file of the page: one that was there at the start, so that no path leads elsewhere."""
    if name not in ASSETS:
        raise HTTPException(404, "no such file")
    return FileResponse(ASSETS[name])


@app.get("/api/me")
def me(user: GetUserDep) -> dict[str, Any]:
    """Return who looks, which DAGs they may start, and whether they may see guests. It only greys: the wall is elsewhere."""
    return {
        "user": user.get_name(),
        "may": {dag_id: _may_start(dag_id, user) for dag_id in DAGS},
        "guests": _may_see_guests(user),
    }


@app.get("/api/freshness")
async def freshness() -> Rows:
    """Return how old the newest order is and what waits."""
    return {"rows": await reader.read("freshness")}


@app.get("/api/rules")
async def rules() -> Rows:
    """Return each tag's rule and draft, with its audience and those who are one order short of it."""
    return {"rows": await reader.read("rules")}


@app.get("/api/versions")
async def versions(tag: Text) -> Rows:
    """Return what the rule of a tag was, the newest version first."""
    return {"rows": await reader.read("versions", tag=tag)}


@app.get("/api/rehearsal")
async def rehearsal(rehearsal_id: Annotated[int, Query(alias="id", ge=1, lt=2**63)]) -> dict[str, Any]:
    """Return what a rule would do, by a rehearsal of it; `rehearsal` is null where there is none of this id."""
    of = {"rehearsal_id": rehearsal_id}
    return {
        "rehearsal": next(iter(await reader.read("rehearsal", **of)), None),
        "weeks": await reader.read("rehearsal_weeks", **of),
        "overlaps": await reader.read("rehearsal_overlaps", **of),
        "near": await reader.read("rehearsal_near", **of),
    }


@app.get("/api/audience")
async def audience(days: Days = 30) -> Rows:
    """Return the audience of each tag at the end of each day."""
    return {"rows": await reader.read("audience", days=days)}


@app.get("/api/exports")
async def exports() -> Rows:
    """Return each audience with its last export and the one that is held."""
    return {"rows": await reader.read("exports")}


@app.get("/api/thresholds")
async def thresholds() -> Rows:
    """Return how many guests each threshold of each category would give."""
    return {"rows": await reader.read("thresholds")}


@app.get("/api/categories")
async def categories() -> Rows:
    """Return the categories, those with the most orders first."""
    return {"rows": await reader.read("categories")}


@app.get("/api/dishes")
async def dishes(limit: Annotated[int, Query(ge=1, le=100)] = 10) -> Rows:
    """Return the dishes with the most orders."""
    return {"rows": await reader.read("dishes", limit=limit)}


@app.get("/api/orders")
async def orders(days: Annotated[int, Query(ge=1, le=92)] = 7) -> dict[str, Any]:
    """Return orders by status, by the hour or (longer windows) by the UTC day; the window ends with the newest order."""
    unit = "hour" if days <= HOURS_UP_TO_DAYS else "day"
    return {"unit": unit, "rows": await reader.read("orders", unit=unit, hours=days * DAY_H)}


@app.get("/api/dead-letters")
async def dead_letters() -> Rows:
    """Return what was refused, by topic and reason."""
    return {"rows": await reader.read("dead_letters")}


@app.get("/api/not-counted")
async def not_counted() -> Rows:
    """Return what arrived and does not count, and why."""
    return {"rows": await reader.read("not_counted")}


@app.get("/api/guests", dependencies=[Depends(of_guests)])
async def guests(tag: Text, limit: Annotated[int, Query(ge=1, le=100)] = 10) -> Rows:
    """Return ids of guests who carry a tag, the newest first."""
    return {"rows": await reader.read("guests_of_tag", tag=tag, limit=limit)}


class Guest(BaseModel):
    """Whom somebody asks about. It comes in the body: an address would stand in logs and in the browser's history."""

    guest_id: GuestId
    tag: GuestId | None = None


@app.post("/api/why", dependencies=[Depends(from_the_page_itself)])
async def why(guest: Guest, looked_by: Annotated[str, Depends(of_guests)]) -> dict[str, Any]:
    """Return what a guest has and lacks for each tag, by which orders, and how it came about; empty where nothing is known.

    First that somebody looks is written down, `stg.guest_looks`: who can't be written down is told nothing.
    """
    of = {"guest_id": guest.guest_id, "tag": guest.tag}
    await reader.note_look(looked_by=looked_by, **of)
    return {
        "progress": await reader.read("guest_progress", **of),
        "orders": await reader.read("why", **of),
        "events": await reader.read("guest_events", **of),
    }
