"""What docs/live.md says of the page: requests that the page answers, keys that it knows."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
pytest.importorskip("websockets")
pytest.importorskip("prometheus_client")

from starlette.applications import Starlette
from starlette.routing import Match, Route

from fcn_edge.runtime.source_set import Sources
from fcn_edge.serve.access import Access
from fcn_edge.serve.address import PageAddress
from fcn_edge.serve.app import Answers, page_app
from fcn_edge.serve.control import Control, control_routes
from fcn_edge.serve.login import login_routes
from fcn_edge.serve.viewers import Viewers

from .documents import PAGES, ROOT, shell_lines

PAGE = ROOT / "docs/live.md"
TEXT = PAGE.read_text(encoding="utf-8")
REQUESTS = re.findall(r"`(GET|POST|DELETE) (/[^`?]*)[^`]*`", TEXT)
CURLS = [line for page in PAGES for line in shell_lines(page) if line.startswith("curl ") and ":8080/" in line]
METHODS = ("GET", "POST", "DELETE")
KEYBOARD = ROOT / "fcn_edge/serve/static/keyboard.js"


@pytest.fixture(scope="module")
def app() -> Starlette:
    """The page of a run that has no sources."""
    sources = Sources(stay=True)
    return page_app(
        Answers(
            viewers=Viewers(lambda _history: "{}", lambda _watched: None),
            pictures=lambda _source: None,
            sources=list,
            status=lambda: "{}",
            metrics=lambda: (b"", "text/plain"),
            ready=lambda: (True, ""),
            further=[
                *login_routes(Access(PageAddress.of("http://:8080"), "a token of the tests")),
                *control_routes(Control(sources, [], [])),
            ],
        )
    )


def answers(app: Starlette, method: str, path: str) -> bool:
    """Whether the page has a route for a request."""
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    return any(route.matches(scope)[0] is Match.FULL for route in app.routes)


def test_the_page_answers_no_other_requests(app: Starlette) -> None:
    assert not answers(app, "GET", "/nothing")
    assert not answers(app, "DELETE", "/status.json")


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_requests_that_are_documented_are_answered(app: Starlette, method: str, path: str) -> None:
    assert answers(app, method, path)


def test_all_that_is_answered_is_documented(app: Starlette) -> None:
    there = {
        (method, re.sub(r"\{\w+(:\w+)?\}", "ID", route.path))
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert there <= set(REQUESTS)


@pytest.mark.parametrize("line", CURLS)
def test_requests_of_examples_are_answered(app: Starlette, line: str) -> None:
    words = shlex.split(line)
    (url,) = (word for word in words if word.startswith("http://"))
    body = words[words.index("--data") + 1] if "--data" in words else None
    method = words[words.index("--request") + 1] if "--request" in words else "POST" if body else "GET"
    assert answers(app, method, urlsplit(url).path)
    if body:
        assert isinstance(json.loads(body)["source"], str)
        assert "Content-Type: application/json" in words, "a form of another website could send it without"
    assert ("@header" in words) == (method != "GET"), "changes take the token"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_places_on_the_page_exist(app: Starlette, page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"127\.0\.0\.1:8080(/[\w./-]*)", text))
    assert [path for path in named if not any(answers(app, method, path) for method in METHODS)] == []


def test_every_key_of_the_page_is_documented() -> None:
    """The page lists its keys itself, under ``?``."""
    listed = re.findall(
        r'^ *\["([^"]+)", "[^"]+"\]|, \["([^"]+)", "[^"]+"\]', KEYBOARD.read_text("utf-8"), re.MULTILINE
    )
    keys = {key for pair in listed for key in re.split(r"[ \u2013]+", pair[0] or pair[1])}
    section = TEXT.partition("\n## Keyboard\n")[2].partition("\n## ")[0]
    documented = {
        key for cell in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for key in re.findall(r"`(.)`", cell)
    }
    assert len(keys) > 10
    assert keys == documented
