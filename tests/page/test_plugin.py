"""The plugin as Airflow loads it, and the files of the page as a browser will."""

import re
import subprocess
import sys
from pathlib import Path

from airflow import plugins_manager
from airflow._shared.module_loading import find_path_from_directory

from docs.pictures.page_assets import FILES, LIBRARY, STATIC, VERSION, integrity
from docs.pictures.screenshots import MAX_BYTES

REPO = Path(__file__).resolve().parents[2]
PLUGINS = REPO / "plugins"
HTML = (STATIC / "index.html").read_text(encoding="utf-8")
SCRIPTS = sorted(STATIC.glob("*.js"))


def test_airflow_loads_the_page_and_takes_no_other_file_for_a_plugin() -> None:
    plugins, errors = plugins_manager._get_plugins()
    assert errors == {}
    ours = {str(plugin.source.path): plugin.name for plugin in plugins if hasattr(plugin.source, "path")}
    assert ours == {"guest_tags_page.py": "guest_tags"}
    files = set(find_path_from_directory(str(PLUGINS), ".airflowignore", "glob"))
    assert files == {str(PLUGINS / "guest_tags_page.py")}, "Airflow runs every file that .airflowignore does not name"
    views, _ = plugins_manager._get_ui_plugins()
    assert [view["href"] for view in views if view["url_route"] == "guest-tags"] == ["guest-tags/"]


def test_a_process_that_only_loads_plugins_imports_nothing_of_the_page() -> None:
    # The scheduler, the DAG processor and every task load plugins.
    program = (
        "import sys, runpy, airflow.plugins_manager; before = set(sys.modules);"
        f"runpy.run_path({str(PLUGINS / 'guest_tags_page.py')!r});"
        "print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_file_that_the_page_names_is_there_and_its_own() -> None:
    named = set(re.findall(r'(?:src|href)="(?!#)([^"]+)"', HTML))
    named |= {f"static/{name}" for script in SCRIPTS for name in re.findall(r'from "\./([^"]+)"', script.read_text())}
    assert {"static/page.js", "static/texts.js", "static/page.css", "static/vendor/chart.umd.min.js"} <= named
    for name in named:
        assert name.startswith("static/"), "relative, and from nowhere else"
        assert (STATIC.parent / name).is_file(), name
    for script in SCRIPTS:
        assert not re.findall(r"https?://", script.read_text(encoding="utf-8")), script.name
    assert "style=" not in HTML
    assert not re.search(r"<script(?![^>]*src=)", HTML), "the policy of the page allows no inline script"


def test_the_chart_library_is_the_pinned_one_with_its_licence() -> None:
    assert f'integrity="{integrity(LIBRARY.read_bytes(), "sha384")}"' in HTML
    assert f"Chart.js v{VERSION}" in LIBRARY.read_text(encoding="utf-8")[:200]
    assert all(target.is_file() for target in FILES.values())
    assert "MIT" in LIBRARY.with_name("chart.LICENSE.md").read_text(encoding="utf-8")


def texts() -> dict[str, set[str]]:
    """Return the keys of each language, as texts.js writes them."""
    source = (STATIC / "texts.js").read_text(encoding="utf-8")
    source = source[source.index("const TEXTS") : source.index("const REMEMBERED")]
    english, russian = re.split(r"^  ru: \{", source, flags=re.MULTILINE)
    return {
        language: set(re.findall(r'^    "?([\w. -]+?)"?: ', part, re.MULTILINE))
        for language, part in (("en", english), ("ru", russian))
    }


def test_both_languages_say_the_same_things() -> None:
    keys = texts()
    assert len(keys["en"]) > 80
    assert keys["en"] == keys["ru"]


def test_every_text_that_is_asked_for_is_there_and_none_is_left_over() -> None:
    keys = texts()["en"]
    asked = set(re.findall(r'data-(?:text|label)="([^"]+)"', HTML))
    families = set()
    for script in SCRIPTS:
        source = script.read_text(encoding="utf-8")
        # t("key"), t(condition ? "key" : "key"): every literal in the call that looks like one.
        for call in re.findall(r"\bt\(([^`]*?)\)", source):
            asked |= {literal for literal in re.findall(r'"([\w.]+)"', call) if literal in keys or "." in literal}
        families |= set(re.findall(r"`((?:\w+\.)+)\$\{", source))
    assert asked <= keys
    left_over = {key for key in keys - asked if not any(key.startswith(family) for family in families)}
    assert left_over == set()


def test_who_is_no_operator_reads_no_word_of_the_warehouse() -> None:
    """Acceptance 22: outside State and what is wrong with the servers."""
    source = (STATIC / "texts.js").read_text(encoding="utf-8")
    lines = re.findall(
        r'^    "?([\w. -]+?)"?: (.+)$', source[source.index("const TEXTS") : source.index("const REMEMBERED")], re.M
    )
    assert len(lines) > 200
    told = {key: text for key, text in lines if not key.startswith(("state.", "error."))}
    assert [key for key, text in told.items() if re.search(r"insert into|dwh_|cdm\.|SQL", text)] == []


# --- the pictures -----------------------------------------------------------------------------------------------------


def test_every_picture_is_shown_and_small_and_every_one_that_is_shown_is_there() -> None:
    shown = set()
    for page in (REPO / "README.md", REPO / "README.ru.md", REPO / "docs/page.md"):
        for target in re.findall(r"(?:!\[[^]]+\]\(|src=\")([^)\"]+\.png)", page.read_text(encoding="utf-8")):
            shown.add((page.parent / target).resolve())
    assert len(shown) > 10
    assert shown == set((REPO / "docs/images").glob("*.png"))
    assert max(picture.stat().st_size for picture in shown) <= MAX_BYTES
