"""A run with a live page in a process of its own, watched from outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

__all__ = ["PageRun", "page_run"]

STARTED = re.compile(r"Live page: (http://\S+)")
PATIENCE = 60.0
TICKS = os.sysconf("SC_CLK_TCK")


class PageRun:
    """The run.

    Attributes:
        url: The page's address.
        pid: Number of the process.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self.url = ""
        self.said: list[str] = []
        self._ready = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def websocket(self) -> str:
        """Address of the page's WebSocket."""
        return self.url.replace("http://", "ws://") + "ws"

    def wait(self) -> None:
        """Wait until the page is there.

        Raises:
            RuntimeError: The run ended, or takes too long.
        """
        if not self._ready.wait(PATIENCE) or not self.url:
            raise RuntimeError("The run shows no page: " + "".join(self.said))

    def get(self, path: str) -> bytes:
        """What the page answers."""
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            content: bytes = answer.read()
        return content

    def metrics(self) -> dict[str, float]:
        """Sums of the page's metrics, by the names of their samples."""
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(self.get("metrics").decode()):
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found

    def memory_mb(self) -> float:
        """Memory of the process."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024

    def cpu_seconds(self) -> float:
        """CPU seconds of the process so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def stop(self) -> None:
        """Ask it to end, as a service manager does, and wait for that."""
        self._process.terminate()
        self._process.wait(PATIENCE)

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.said.append(line)
            found = STARTED.search(line)
            if found:
                self.url = found[1]
                self._ready.set()
        self._ready.set()


@contextmanager
def page_run(model: str, source: str, more: Sequence[str] = ()) -> Iterator[PageRun]:
    """``fcn-edge run`` with a page on a free port, until the block ends.

    Args:
        model: What runs.
        source: Where frames come from.
        more: Further arguments.
    """
    command = [sys.executable, "-m", "fcn_edge", "run", model, source, "http://:0", *more]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        run = PageRun(process)
        try:
            run.wait()
            yield run
        finally:
            run.stop()
