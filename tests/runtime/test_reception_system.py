"""What GStreamer tells of the network between it and a camera, and of the camera's keyframes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.runtime.sources import open_source

from ..servers.frame_numbers import number_of
from ..servers.rtsp import RtspServer, needs_gstreamer

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("no_thread_left")]

LOSSY = """
import json, subprocess, sys

RULES = '''table inet lossy {
    chain packets {
        type filter hook input priority 0
        meta l4proto udp numgen random mod 10 < 1 counter drop
    }
}'''
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["nft", "-f", "-"], input=RULES, text=True, check=True)
from fcn_edge.runtime.sources import open_source
from tests.servers.rtsp import RtspServer

with RtspServer() as server, open_source(server.url(options="decoder=gstreamer&transport=udp")) as source:
    for frame in source:
        if source.packets_lost and source.packets_lost > 20:
            break
    told = {"lost": source.packets_lost, "jitter_ms": source.jitter_ms}
listed = json.loads(subprocess.run(["nft", "-j", "list", "ruleset"], capture_output=True, check=True).stdout)
[rule] = [one["rule"] for one in listed["nftables"] if "rule" in one]
[counter] = [one["counter"] for one in rule["expr"] if "counter" in one]
print(json.dumps({**told, "dropped": counter["packets"]}))
"""


@pytest.fixture(autouse=True)
def gstreamer() -> None:
    needs_gstreamer()


def test_packets_that_the_network_lost_are_counted() -> None:
    for program in ("unshare", "ip", "nft"):
        if shutil.which(program) is None:
            pytest.skip(f"there is no {program}")
    if subprocess.run(["unshare", "--net", "nft", "list", "ruleset"], capture_output=True, check=False).returncode:
        pytest.skip("only root may make a network of its own, in which packets are lost")
    here = Path(__file__).parents[2]
    command = ["unshare", "--net", sys.executable, "-c", LOSSY]
    ran = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert 20 < told["lost"] <= told["dropped"], "reports of the camera's clock are among those dropped"
    assert told["dropped"] < 3 * told["lost"] + 100
    assert 0 < told["jitter_ms"] < 1000


def test_over_tcp_none_is_lost_and_keyframes_are_told_with_their_pictures() -> None:
    gop, seen, last = 10, 0, (0, -1)
    with RtspServer(gop=gop) as server, open_source(server.url(options="decoder=gstreamer")) as source:
        for frame in source:
            assert source.keyframes is not None
            keyframes, index = last
            last = source.keyframes, frame.index
            if frame.index == index + 1:  # none was dropped between the two
                number = number_of(np.asarray(frame.image))
                assert number is not None
                assert (source.keyframes == keyframes + 1) == (number % gop == 0)
                seen += number % gop == 0
            if seen == 3 and source.packets_lost is not None:
                break
        assert source.packets_lost == 0
        assert source.jitter_ms is not None


def test_a_source_without_a_network_tells_nothing() -> None:
    with open_source("gst://videotestsrc is-live=true") as source:
        next(source)
        assert (source.packets_lost, source.jitter_ms, source.keyframes) == (None, None, None)
