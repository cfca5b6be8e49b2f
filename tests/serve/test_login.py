"""The login form."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

import pytest

pytest.importorskip("starlette")

from starlette.applications import Starlette

from fcn_edge.serve.access import Access
from fcn_edge.serve.address import PageAddress
from fcn_edge.serve.guard import Guard
from fcn_edge.serve.login import STATIC, login_routes
from tests.serve.asking import Answer, ask

TOKEN = "k7_Jw-2mQ9xZ~4vB"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HOST = "192.168.1.5:8080"


def page(token: str | None = TOKEN) -> Guard:
    address = PageAddress.of("http://0.0.0.0:8080" if token else "http://:8080")
    access = Access(address, token)
    return Guard(Starlette(routes=login_routes(access)), address, access)


def log_in(guard: Guard, **fields: str) -> Answer:
    return ask(guard, "POST", "/login", FORM, [urlencode(fields).encode()], host=HOST)


def test_the_right_token_leads_on_with_a_cookie() -> None:
    guard = page()
    answer = log_in(guard, token=f" {TOKEN} ", next="/status.json?source=a")
    assert (answer.status, answer.headers["location"]) == (303, "/status.json?source=a")
    cookie = answer.headers["set-cookie"].partition(";")[0]
    assert ask(guard, path="/anything", host=HOST, headers={"Cookie": cookie}).status == 404
    out = ask(guard, "POST", "/logout", {"Cookie": cookie, "Origin": f"http://{HOST}"}, host=HOST)
    assert (out.status, out.headers["location"]) == (303, "/login")
    assert ask(guard, path="/anything", host=HOST, headers={"Cookie": cookie}).status == 401


def test_a_wrong_token_is_told_and_not_shown() -> None:
    guard = page()
    answer = log_in(guard, token="a-wrong-token-of-mine")
    assert answer.status == 401
    assert b"not the token" in answer.body
    assert b"a-wrong-token" not in answer.body
    assert "set-cookie" not in answer.headers
    found = [log_in(guard, token=str(number)) for number in range(9)]
    assert found[-1].status == 429
    assert found[-1].headers["retry-after"] == "60"
    assert b"too many tries" in found[-1].body


@pytest.mark.parametrize("body", [b"", b"token", b"&&&=", b"\xff\x00\xfe", b"token=%ff%00", b"a=1&" * 9000, b"{}"])
def test_other_forms_are_wrong_tokens(body: bytes) -> None:
    assert ask(page(), "POST", "/login", FORM, [body], host=HOST).status == 401


@pytest.mark.parametrize(
    "place",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/\t/evil.example",
        "/.//evil.example",
        "/x\r\nSet-Cookie: a=b",
        "/x\n",
        " /x",
        "",
        "/@evil.example",
        "/" + "a" * 600,
        "/ä",
    ],
)
def test_a_login_leads_to_no_other_host(place: str) -> None:
    answer = log_in(page(), token=TOKEN, next=place)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert answer.headers["set-cookie"].count("fcn_edge") == 1
    if not re.search(r"[\r\n\t]", place):
        form = ask(page(), path=f"/login?next={quote(place)}", host=HOST)
        assert b'name="next" value="/"' in form.body


def test_nothing_of_the_address_becomes_markup() -> None:
    form = ask(page(), path="/login?next=" + quote('/"><script>alert(1)</script>'), host=HOST)
    assert form.status == 200
    assert b"<script" not in form.body


def test_without_a_token_the_form_says_what_to_do() -> None:
    answer = ask(page(None), path="/login")
    assert answer.status == 200
    assert b"--token-file FILE" in answer.body
    assert b'required autofocus aria-describedby="message" disabled' in answer.body
    assert ask(page(None), "POST", "/login", FORM, [b"token="]).status == 401


def test_the_form_loads_its_own_style_alone() -> None:
    text = (STATIC / "login.html").read_text()
    assert re.findall(r'(?:href|src|action)="([^"]*)"', text) == ["data:,", "/static/login.css", "/login"]
    assert "style=" not in text
    assert "<style" not in text
    assert "url(" not in (STATIC / "login.css").read_text()
