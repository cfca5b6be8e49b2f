from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from fcn_edge.system.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()
frames = [np.ones((720, 1280, 3), np.uint8) for _ in range(3)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    frames = [np.ones((720, 1280, 3), np.uint8) for _ in range(3)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", FAULTS, how], check=True, capture_output=True, text=True, timeout=60)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_memory_of_frames_is_used_again() -> None:
    assert faults("keep") < 5000 < faults("as it is")
