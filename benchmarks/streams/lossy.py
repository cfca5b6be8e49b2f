"""outages.py's run over a network that loses packets; it is started by outages.py, in a network namespace of its own.

unshare -n python -m benchmarks.streams.lossy ENGINE RESULT --loss 2
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from benchmarks.streams.outage_run import Plan, outage_run
from benchmarks.streams.verdict import write_result

__all__ = ["lossy_run", "missing"]

ROOT = Path(__file__).resolve().parents[2]
CAMERA = {"size": "240x320", "fps": 25, "gop": 25, "frames": 100, "bitrate": 500}
UP = (10.0, 16.0)


def missing() -> str:
    """Why packets cannot be dropped here; empty where they can."""
    if os.geteuid() != 0:
        return "only root may make a network namespace"
    for name in ("unshare", "ip", "nft"):
        if shutil.which(name) is None:
            return f"{name} is not installed"
    made = subprocess.run(["unshare", "-n", "nft", "list", "tables"], capture_output=True, check=False)
    return "" if made.returncode == 0 else "this system lets nobody make a network namespace with rules of its own"


def lossy_run(engine: Path, folder: Path, loss: int, outages: int, seed: int) -> dict[str, Any]:
    """The result of the run, in a namespace of its own.

    Args:
        engine: An engine directory.
        folder: For the files.
        loss: Percent of the UDP packets that are dropped.
        outages: How often the server is killed or stopped, in turns.
        seed: What all times are drawn from.
    """
    result = folder / "lossy.json"
    words = [str(engine), str(result), f"--loss={loss}", f"--outages={outages}", f"--seed={seed}"]
    subprocess.run(["unshare", "-n", sys.executable, "-m", "benchmarks.streams.lossy", *words], check=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(result.read_text())
    return found


@click.command()
@click.argument("engine", type=click.Path(path_type=Path))
@click.argument("result", type=click.Path(path_type=Path))
@click.option("--loss", type=int, required=True)
@click.option("--outages", type=int, required=True)
@click.option("--seed", type=int, required=True)
def main(engine: Path, result: Path, loss: int, outages: int, seed: int) -> None:
    """Run in this namespace, whose packets are dropped."""
    _call("ip link set lo up")
    _call("nft add table inet lossy")
    _call("nft add chain inet lossy input { type filter hook input priority 0 ; }")
    _call(f"nft add rule inet lossy input meta l4proto udp numgen random mod 100 < {loss} counter drop")
    plan = Plan([("kill", "stop")[number % 2] for number in range(outages)], UP, seed=seed, copies=1, noisy=True)
    with tempfile.TemporaryDirectory() as folder:
        found = outage_run(engine, Path(folder), plan, CAMERA, "transport=udp")
    listed = subprocess.run(["nft", "list", "table", "inet", "lossy"], capture_output=True, text=True, check=True)
    counted = re.search(r"counter packets (\d+)", listed.stdout)
    write_result(result, {"packets_dropped": int(counted[1]) if counted else None, "loss_percent": loss} | found)


def _call(words: str) -> None:
    subprocess.run(words.split(), check=True)


if __name__ == "__main__":
    main()
