from __future__ import annotations

import logging
import socket
import threading
import time

import pytest

from fcn_edge.errors import UsageError
from fcn_edge.runtime.events import FrameDone, GradeChanged, SourceChanged
from fcn_edge.runtime.webhook import CAPACITY, Webhook

from ..receiver import Receiver, no_proxy, receiver

__all__ = ["no_proxy", "receiver"]

pytestmark = pytest.mark.usefixtures("no_thread_left", "no_proxy")

CHANGE = SourceChanged("rtsp://u:***@camera", "lost", "The cable is cut.", "fair", 1_700_000_000_123_000_000)
FIVE = [SourceChanged("camera", "live", str(number)) for number in range(5)]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcn_edge.runtime.webhook.PAUSES", (0.01, 0.01))


class TestPosts:
    def test_hold_what_is_promised(self, receiver: Receiver) -> None:
        with Webhook(f"http://{receiver.place}/hook?a=1&b=2#part") as webhook:
            webhook(CHANGE)
        assert receiver.posts == [
            {
                "source": "rtsp://u:***@camera",
                "state": "lost",
                "grade": "fair",
                "message": "The cable is cut.",
                "time": "2023-11-14T22:13:20.123Z",
            }
        ]
        assert receiver.paths == ["/hook?a=1&b=2"]
        assert receiver.headers[0]["Content-Type"] == "application/json"
        assert "Authorization" not in receiver.headers[0]

    def test_are_one_for_each_change_in_their_order(self, receiver: Receiver) -> None:
        with Webhook(f"http://{receiver.place}") as webhook:
            webhook(FIVE[0])
            webhook(GradeChanged("camera", "poor", "3 reconnects.", "live"))
            webhook(FrameDone(None, None))  # type: ignore[arg-type]
            webhook(SourceChanged("camera", "ended"))
        told = [(post["state"], post["grade"], post["message"]) for post in receiver.posts]
        assert told == [("live", None, "0"), ("live", "poor", "3 reconnects."), ("ended", None, "")]

    def test_carry_name_and_password_as_basic_authentication(self, receiver: Receiver) -> None:
        with Webhook(f"http://ada:p%40ss@{receiver.place}/") as webhook:
            webhook(CHANGE)
        assert receiver.headers[0]["Authorization"] == "Basic YWRhOnBAc3M="
        assert receiver.headers[0]["Host"] == receiver.place


@pytest.mark.usefixtures("quick")
class TestFailures:
    def test_are_tried_again(self, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
        receiver.answers = [500, 503]
        with Webhook(f"http://{receiver.place}") as webhook:
            webhook(CHANGE)
        assert (len(receiver.posts), receiver.asked, caplog.text) == (1, 3, "")

    @pytest.mark.parametrize("status", [302, 404, 500])
    def test_are_said_once_without_the_secrets_of_the_address(
        self, receiver: Receiver, caplog: pytest.LogCaptureFixture, status: int
    ) -> None:
        receiver.answers = [status] * 6
        with (
            caplog.at_level(logging.INFO, "fcn_edge"),
            Webhook(f"http://ada:secret@{receiver.place}/T0/B0/secret?key=secret") as webhook,
        ):
            for change in FIVE[:3]:
                webhook(change)
        assert [post["message"] for post in receiver.posts] == ["2"]
        (record,) = caplog.records
        assert record.getMessage() == (
            f"The webhook at http://{receiver.place} fails: it answers with status {status}. "
            "What it was to be told is dropped."
        )

    def test_of_a_server_that_is_not_there(self, caplog: pytest.LogCaptureFixture) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with Webhook(f"http://127.0.0.1:{port}/secret") as webhook:
            for change in FIVE:
                webhook(change)
        assert [record.getMessage() for record in caplog.records] == [
            f"The webhook at http://127.0.0.1:{port} fails: it cannot be reached. What it was to be told is dropped."
        ]

    def test_of_a_server_that_talks_nonsense(self, caplog: pytest.LogCaptureFixture) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:

            def answer() -> None:
                for _ in range(3):
                    client, _address = server.accept()
                    with client:
                        client.recv(4096)
                        client.sendall(b"what?\r\n\r\n")

            thread = threading.Thread(target=answer)
            thread.start()
            with Webhook(f"http://127.0.0.1:{server.getsockname()[1]}/secret") as webhook:
                webhook(CHANGE)
            thread.join()
        assert "secret" not in caplog.text
        assert len(caplog.records) == 1

    def test_a_server_that_never_answers_keeps_nobody(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fcn_edge.runtime.webhook.TIMEOUT", 0.2)
        monkeypatch.setattr("fcn_edge.runtime.webhook.CLOSE_TIMEOUT", 2.0)
        with socket.create_server(("127.0.0.1", 0)) as server:
            webhook = Webhook(f"http://127.0.0.1:{server.getsockname()[1]}")
            began = time.monotonic()
            for number in range(10 * CAPACITY):
                webhook(SourceChanged("camera", "live", str(number)))
            assert time.monotonic() - began < 2
            webhook.close()
            webhook.close()
            assert time.monotonic() - began < 10
        assert "does not answer in time" in caplog.text

    def test_nothing_is_posted_after_it_is_closed(self, receiver: Receiver) -> None:
        webhook = Webhook(f"http://{receiver.place}")
        webhook.close()
        webhook(CHANGE)
        assert receiver.posts == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/x",
        "file:///etc/passwd",
        "host/x",
        "",
        "http://",
        "http:///x",
        "https://ada:secret@",
        "http://host:99999/secret",
        "http://[::1/secret",
        "http://host/se cret",
        "http://host/sec\r\nret",
        "http://höst/secret",
    ],
)
def test_addresses_that_make_no_sense_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="no address of the web") as caught:
        Webhook(url)
    assert "secret" not in str(caught.value)


def test_making_one_touches_nothing() -> None:
    Webhook("https://[2001:db8::1]:8443/x").close()
