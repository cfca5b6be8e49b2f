from __future__ import annotations

import traceback
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from fcn_edge.errors import SourceError
from fcn_edge.runtime.sources.web import WebClient

from ...servers.web import NONCE, WebServer

MD5, SHA_256 = 'qop="auth", algorithm=MD5', 'qop="auth", algorithm=SHA-256'
WORD = "se" + "cret"  # tracebacks show this file's lines


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A server with one file, that only ``me`` with the password ``WORD`` gets."""
    with WebServer() as server:
        server.files["/a"] = b"hello"
        server.login = f"me:{WORD}"
        yield server


def content(web: WebServer, path: str = "/a", client: WebClient | None = None) -> bytes:
    """What is at a path, read with the server's own login, its letters escaped as in an address."""
    user, _, password = web.login.partition(":")
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    client = client or WebClient("the camera", 5)
    with client.open(web.url(path, login)) as file:
        return file.read(100)


def refusal(web: WebServer) -> SourceError:
    with pytest.raises(SourceError) as caught:
        content(web)
    assert WORD not in "".join(traceback.format_exception(caught.value))
    assert "the camera" in caught.value.message
    return caught.value


@pytest.mark.parametrize("digest", [None, "opaque=x", MD5, SHA_256])
@pytest.mark.parametrize("login", ["me:Müller", "Jürgen:Łódź 東京", 'm"e\\:a"b\\c'])
def test_letters_beyond_ascii_and_quotes(web: WebServer, digest: str | None, login: str) -> None:
    web.digest, web.login = digest, login
    assert content(web) == b"hello"
    assert web.refused == 1


@pytest.mark.parametrize(
    ("others", "digest", "kind"),
    [
        (['Basic realm="a"'], MD5, "Digest"),
        ([f'Digest realm="a", nonce="{NONCE}", {MD5}', 'Basic realm="a"'], SHA_256, "Digest"),
        (['Basic realm="a, Digest b"', "Negotiate", "NTLM TlRMTVNTUAABAA=="], f'{SHA_256}, Basic realm="b"', "Digest"),
        ([f'Basic realm="a", Digest realm="b", nonce="{NONCE}", {MD5}, Bearer'], SHA_256, "Digest"),
        (
            ['Digest realm="a", nonce="b", algorithm=SHA-512-256, qop="auth"'],
            'algorithm="md5", qop="auth-int, auth"',
            "Digest",
        ),
        (["Negotiate abc==", 'Bearer realm="a"'], None, "Basic"),
        ([f'Digest realm="a", nonce="{NONCE}", qop="auth-int"', 'Digest realm="no nonce"'], None, "Basic"),
        (["Negotiate,\r\n NTLM"], f"{MD5},\r\n opaque=x", "Digest"),
    ],
)
def test_is_by_the_best_kind_of_those_offered(web: WebServer, others: list[str], digest: str | None, kind: str) -> None:
    web.others, web.digest = others, digest
    assert content(web) == b"hello"
    assert web.logins == ["", kind], "a password shall not be sent in clear where a digest is taken"


@pytest.mark.parametrize(
    ("digest", "said"),
    [
        ('qop="auth", algorithm=SHA-512-256', "a login of a kind that is not known here"),
        ('qop="auth-int"', "digests of whole messages"),
    ],
)
def test_by_no_kind_that_is_known(web: WebServer, digest: str, said: str) -> None:
    web.digest = digest
    error = refusal(web)
    assert said in error.message
    assert error.persistent
    assert error.fix
    assert web.logins == [""]


def test_goes_on_after_many_files_that_are_not_there(web: WebServer) -> None:
    web.digest = MD5
    client = WebClient("the camera", 5)
    for _ in range(7):
        with pytest.raises(SourceError, match="HTTP 404"):
            content(web, "/expired", client)
    assert content(web, client=client) == b"hello"


@pytest.mark.parametrize("digest", [None, MD5])
def test_is_kept_from_other_hosts(web: WebServer, digest: str | None) -> None:
    web.digest = digest
    web.files["/here"] = "/a"
    assert content(web, "/here") == b"hello"
    with WebServer() as other:
        web.files["/there"] = other.url("/a")
        other.files["/a"] = b"open to all"
        assert content(web, "/there") == b"open to all"
        other.login, other.digest = web.login, digest
        with pytest.raises(SourceError, match="wants a user and a password"):
            content(web, "/there")
    assert other.logins == ["", ""]


def test_is_sent_twice_at_most_where_the_nonce_is_always_too_old(web: WebServer) -> None:
    web.digest = f"{MD5}, stale=TRUE"
    client = WebClient("the camera", 5)
    with pytest.raises(SourceError, match="wants a user and a password") as caught:
        client.open(web.url("/a", "me:another"))
    assert caught.value.persistent
    assert web.logins == ["", "Digest", "Digest"]
