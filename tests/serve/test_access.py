"""Who may look at the live page and who may change it."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("starlette")

from fcn_edge.errors import UsageError
from fcn_edge.serve.access import Access
from fcn_edge.serve.address import PageAddress
from fcn_edge.serve.refusal import Refusal
from fcn_edge.serve.sessions import LIFETIME_S, MOST_SESSIONS, MOST_TRIES, WINDOW_S, Sessions, WrongTokens

TOKEN = "k7_Jw-2mQ9xZ~4vB"
LOOPBACK, NETWORK = PageAddress.of("http://:8080"), PageAddress.of("http://0.0.0.0:8080")
SCOPE: dict[str, Any] = {"client": ("10.0.0.9", 4000), "server": ("10.0.0.1", 8080)}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def bearer(token: str) -> dict[bytes, bytes]:
    return {b"authorization": f"Bearer {token}".encode()}


def logged_in(access: Access) -> dict[bytes, bytes]:
    cookie = access.log_in(SCOPE, TOKEN)
    assert cookie is not None
    return {b"cookie": cookie.partition(";")[0].encode()}


def test_no_page_on_the_network_without_a_token() -> None:
    assert not Access(LOOPBACK, None).has_token
    with pytest.raises(UsageError, match="no token protects it") as caught:
        Access(NETWORK, None)
    assert "--token-file" in caught.value.fix
    assert "http://:8080 " in caught.value.fix
    assert Access(NETWORK, TOKEN).has_token


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER"])
def test_a_program_looks_and_changes_with_the_token(kind: str) -> None:
    access = Access(NETWORK, TOKEN)
    headers = {b"authorization": f"{kind} {TOKEN}".encode()}
    assert access.may_look(SCOPE, headers)
    access.check_change(SCOPE, headers)


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ä"]
)
def test_another_authorization_is_none(value: str) -> None:
    access = Access(NETWORK, TOKEN)
    headers = {b"authorization": value.encode("latin-1")}
    assert not access.may_look(SCOPE, headers)
    with pytest.raises(Refusal) as caught:
        access.check_change(SCOPE, headers)
    assert caught.value.status == 401
    assert (b"www-authenticate", b"Bearer") in caught.value.headers


def test_a_browser_logs_in_once_and_out_again() -> None:
    access = Access(NETWORK, TOKEN)
    cookie = access.log_in(SCOPE, TOKEN) or ""
    assert cookie.startswith("fcn_edge_8080=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert TOKEN not in cookie
    headers = {b"cookie": b"other=1; " + cookie.partition(";")[0].encode()}
    assert access.may_look(SCOPE, headers)
    assert "Max-Age=0" in access.log_out(SCOPE, headers)
    assert not access.may_look(SCOPE, headers)


def test_a_cookie_of_another_page_of_the_host_hides_ours_from_nobody() -> None:
    access = Access(NETWORK, TOKEN)
    ours = logged_in(access)[b"cookie"]
    assert access.may_look(SCOPE, {b"cookie": b"fcn_edge_8080=tossed; " + ours})
    assert not access.may_look(SCOPE, {b"cookie": ours.replace(b"8080", b"8081")})
    assert not access.may_look(SCOPE, {b"cookie": b"fcn_edge_8080=; fcn_edge_8080=\xff; =; fcn_edge_8080"})


def test_a_cookie_changes_only_with_an_origin() -> None:
    access = Access(LOOPBACK, TOKEN)
    headers = logged_in(access)
    access.check_change(SCOPE, {**headers, b"origin": b"http://10.0.0.1:8080"})
    with pytest.raises(Refusal, match="Origin") as caught:
        access.check_change(SCOPE, headers)
    assert caught.value.status == 403


def test_nothing_changes_where_no_token_is_set() -> None:
    access = Access(LOOPBACK, None)
    for headers in ({}, bearer(""), bearer("None"), bearer(TOKEN), {b"cookie": b"fcn_edge_8080="}):
        with pytest.raises(Refusal, match="no token is set") as caught:
            access.check_change(SCOPE, headers)
        assert caught.value.status == 403
        assert b"--token-file" in caught.value.body
    assert access.log_in(SCOPE, "") is None


def test_who_guesses_is_not_listened_to_and_others_are() -> None:
    access = Access(NETWORK, TOKEN)
    for number in range(MOST_TRIES):
        assert not access.may_look(SCOPE, bearer(f"guess {number}"))
    for token in ("another", TOKEN):
        with pytest.raises(Refusal) as caught:
            access.may_look(SCOPE, bearer(token))
        assert caught.value.status == 429
        assert (b"retry-after", b"60") in caught.value.headers
    with pytest.raises(Refusal):
        access.log_in(SCOPE, TOKEN)
    assert access.may_look({**SCOPE, "client": ("10.0.0.10", 4000)}, bearer(TOKEN))


def test_a_login_is_not_ended_by_somebody_who_guesses_beside_it() -> None:
    access = Access(NETWORK, TOKEN)
    headers = logged_in(access)
    for number in range(MOST_TRIES):
        access.log_in(SCOPE, f"guess {number}")
    assert access.may_look(SCOPE, headers)


def test_a_program_with_an_old_token_locks_out_none_with_the_right_one() -> None:
    access = Access(NETWORK, TOKEN)
    for _ in range(MOST_TRIES):
        assert not access.may_look(SCOPE, bearer("yesterday's"))
    for _ in range(100):
        with pytest.raises(Refusal) as caught:
            access.may_look(SCOPE, bearer("yesterday's"))
        assert caught.value.status == 429
    assert access.may_look(SCOPE, bearer(TOKEN))


def test_after_a_minute_the_next_guess_is_looked_at() -> None:
    clock = Clock()
    wrong = WrongTokens(clock)
    for number in range(MOST_TRIES):
        wrong.note("::1", bytes([number]))
    assert wrong.is_guessing("::1")
    clock.now += WINDOW_S
    assert not wrong.is_guessing("::1")
    assert not wrong.note("::1", b"again")


def test_a_machines_many_addresses_are_one() -> None:
    wrong = WrongTokens()
    for number in range(MOST_TRIES):
        wrong.note(f"2001:db8::{number}", bytes([number]))
    assert wrong.is_guessing("2001:db8::ffff%eth0")
    assert not wrong.is_guessing("2001:db8:0:1::1")
    assert not wrong.is_guessing("::ffff:10.0.0.1")


def test_neither_tries_nor_logins_grow_without_bound() -> None:
    wrong = WrongTokens()
    for number in range(2000):
        wrong.note(f"10.0.{number // 256}.{number % 256}", b"guess")
        wrong.note("10.1.0.0", str(number).encode())
    assert len(wrong._addresses) == 512
    assert len(wrong._addresses["10.1.0.0"].times) <= MOST_TRIES + 1
    sessions = Sessions()
    cookies = [sessions.begin() for _ in range(MOST_SESSIONS + 5)]
    assert [sessions.holds(cookie) for cookie in cookies] == [False] * 5 + [True] * MOST_SESSIONS


def test_a_login_ends_by_itself() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    cookie = sessions.begin()
    clock.now += LIFETIME_S - 1
    assert sessions.holds(cookie)
    clock.now += 1
    assert not sessions.holds(cookie)
