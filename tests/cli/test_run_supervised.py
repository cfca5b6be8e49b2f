"""``fcn-edge run`` on a camera that is lost and comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fcn_edge.cli.run_progress import troubles_of_sources
from fcn_edge.runtime.backoff import Backoff
from fcn_edge.runtime.events import SourceChanged
from fcn_edge.runtime.sources import OPENERS
from fcn_edge.runtime.sources.base import State

from ..receiver import Receiver, no_proxy, receiver
from ..runtime.scripted import Script

__all__ = ["no_proxy", "receiver"]

pytestmark = pytest.mark.usefixtures("no_proxy")

Run = Callable[..., Any]
CAMERA = "v4l2://scripted"
SHOWN = "rtsp://u:***@camera"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    script = Script(fps=25.0)
    monkeypatch.setitem(OPENERS, "v4l2", lambda address: script.make())  # type: ignore[misc]
    monkeypatch.setattr("fcn_edge.runtime.sources.supervised.Backoff", lambda: Backoff(first=0.01, quick=0.02))
    return script


@pytest.fixture
def run(tiny: Any, fcn_edge: Run) -> Run:
    return lambda *words: fcn_edge("run", tiny.path, *words)


@pytest.fixture
def losing(script: Script) -> Iterator[Script]:
    """A camera that gives frames all the time, and is lost once, after its tenth."""
    stop = threading.Event()

    def feed() -> None:
        count = 0
        while not stop.wait(0.01):
            count += 1
            if count == 10:
                script.fail()
            script.give()

    thread = threading.Thread(target=feed)
    thread.start()
    yield script
    stop.set()
    thread.join()


def test_a_loss_and_its_end_are_told_and_posted_once_each(run: Run, losing: Script, receiver: Receiver) -> None:
    result = run(CAMERA, "--frames", 25, "--webhook", f"http://{receiver.place}/secret", "--json")
    assert result.code == 0, result.err
    (source,) = result.json["sources"]
    assert (source["uri"], source["state"], source["reconnects"]) == (SHOWN, "ended", 1)
    assert source.keys() >= {"uri", "state", "grade", "frames", "dropped", "reconnects", "skew_ms"}
    lines = [line for line in result.err.splitlines() if SHOWN in line]
    assert lines[0] == f"{SHOWN} is lost. The cable is cut."
    assert lines[1].startswith(f"{SHOWN} is live. Frames come again after ")
    assert len(lines) == 2
    assert [post["state"] for post in receiver.posts] == ["connecting", "live", "lost", "live", "ended"]
    assert {post["source"] for post in receiver.posts} == {SHOWN}
    assert losing.open == 0


@pytest.mark.parametrize(
    ("state", "message", "said"),
    [
        ("lost", "a was lost: the camera ended the stream.", "a is lost: the camera ended the stream."),
        ("lost", "a gave no frame for 3.0 s.", "a is lost: it gave no frame for 3.0 s."),
        ("lost", "The host of a is not there.", "a is lost. The host of a is not there."),
        ("waiting_for_keyframe", "", "a is waiting for a keyframe."),
    ],
)
def test_an_address_is_said_once_where_the_message_begins_with_it(
    state: State, message: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    troubles_of_sources(alone=False)(SourceChanged("a", state, message))
    assert capsys.readouterr().err == f"{said}\n"


def test_a_camera_that_is_lost_when_time_is_up_does_not_fail_the_run(run: Run, script: Script) -> None:
    script.give()
    timer = threading.Timer(0.3, lambda: (script.there.clear(), script.fail()))
    timer.start()
    result = run(CAMERA, "--for", 1.5, "--json")
    timer.join()
    assert (result.code, result.json["frames"], result.json["sources"][0]["state"]) == (0, 1, "lost")


def test_a_camera_that_is_not_there_at_the_start_fails_it(run: Run, script: Script) -> None:
    script.there.clear()
    result = run(CAMERA)
    assert (result.code, script.attempts) == (5, 1)
    lines = [line for line in result.err.splitlines() if line.startswith(("Error", "Fix")) or SHOWN in line]
    assert lines == [f"Error: {SHOWN} does not answer.", "Fix: Wait."], "said once"
    assert "secret" not in result.out


def test_one_of_several_that_is_not_there_is_told_of_at_once(run: Run, script: Script) -> None:
    script.there.clear()
    result = run(CAMERA, "--source", "synthetic://street?size=64x96&frames=2")
    assert result.code == 5
    lines = [line for line in result.err.splitlines() if SHOWN in line]
    assert lines[0] == f"{SHOWN} is lost: it does not answer."
    assert lines[-1] == f"Error: {SHOWN} does not answer."


def test_a_camera_that_ends_before_its_first_frame_fails_it(run: Run, script: Script) -> None:
    assert run(CAMERA, "--for", 0.2, "--json").code == 5


def test_files_are_told_of_by_the_webhook_only(run: Run, receiver: Receiver) -> None:
    result = run("synthetic://street?size=64x96&frames=2", "--webhook", f"http://{receiver.place}")
    assert result.code == 0
    assert [post["state"] for post in receiver.posts] == ["connecting", "live", "ended"]
    assert " is live" not in result.err


def test_a_webhook_that_makes_no_sense_is_refused_before_the_model_is_loaded(fcn_edge: Run) -> None:
    result = fcn_edge("run", "no-such-model", CAMERA, "--webhook", "ftp://u:secret@host", "--json")
    assert (result.code, result.json["error"]) == (2, "The webhook is no address of the web.")
    assert "secret" not in result.out + result.err
