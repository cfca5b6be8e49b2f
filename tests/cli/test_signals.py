"""Ctrl-C and SIGTERM, once and again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fcn_edge.cli import signals
from fcn_edge.cli.signals import interrupts_once, quiet_until_exit
from tests.waits import until

INTERRUPTS = int(os.environ.get("FCN_EDGE_INTERRUPTS", "10"))
"""How often a run is interrupted twice."""


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """Ctrl-C counts, also where the tests run in the background of a shell."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class TestInterruptsOnce:
    @pytest.mark.parametrize("numbers", [(2, 2), (2, 15), (15, 15), (15, 2), (2, 2, 2, 2)])
    def test_the_next_ones_do_not_break_into_what_is_closed(self, numbers: tuple[int, ...]) -> None:
        closed = False
        with interrupts_once() as terminated:
            with pytest.raises(KeyboardInterrupt):  # noqa: PT012 (closing is what it is about)
                try:
                    signal.raise_signal(numbers[0])
                finally:
                    for number in numbers[1:]:
                        signal.raise_signal(number)
                    closed = True
            assert bool(terminated) == (numbers[0] == signal.SIGTERM)
        assert closed

    def test_a_later_one_ends_what_hangs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(signals, "GRACE", 0.0)
        with interrupts_once():
            for _ in range(2):
                with pytest.raises(KeyboardInterrupt):
                    signal.raise_signal(signal.SIGINT)

    def test_leaves_the_handlers_as_they_were(self) -> None:
        before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt), interrupts_once():
            signal.raise_signal(signal.SIGINT)
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before

    def test_ctrl_c_that_is_ignored_stays_so(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with interrupts_once():
            signal.raise_signal(signal.SIGINT)
        quiet_until_exit()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.system
def test_ctrl_c_twice_within_20_ms_leaves_a_video_that_plays(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    main = "from fcn_edge.cli.main import main; main()"
    street = "synthetic://street?frames=100000&size=64x96"
    out = tmp_path / "out.mp4"
    words = ["run", "camvid-mobilenet_v2-fcn8s", street, str(out), "--realtime", "--size", "64x96", "--threads", "1"]
    for attempt in range(INTERRUPTS):
        out.unlink(missing_ok=True)
        with subprocess.Popen(
            [sys.executable, "-c", f"{heed}; {main}", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            until(lambda: out.exists() and out.stat().st_size > 2000)
            time.sleep(0.01 * (attempt % 7))
            os.kill(process.pid, signal.SIGINT)
            time.sleep((0.0005, 0.002, 0.005, 0.01, 0.02)[attempt % 5])
            os.kill(process.pid, signal.SIGINT)
            err = process.communicate(timeout=60)[1].decode()
        assert process.returncode == 130, err
        assert "Traceback" not in err
        with av.open(str(out)) as container:
            assert sum(1 for _ in container.decode(video=0)) > 0
