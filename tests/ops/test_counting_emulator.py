"""What the emulator counts, on a kernel whose loads are known."""

from __future__ import annotations

import numpy as np
import pytest

from fcn_edge.ops.kernels import Launch

from .counting_emulator import CountingEmulator, Loads

GATHER = """
extern "C" __global__ void gather(const unsigned short* from, const unsigned int* other, unsigned int* to, int stride) {
    extern __shared__ uint4 shared_memory[];
    unsigned int* sums = (unsigned int*)shared_memory;
    const unsigned int thread = threadIdx.x;
    sums[thread] = from[stride * thread] + other[thread];
    __syncthreads();
    to[64 * blockIdx.x + thread] = sums[63 - thread] + (thread % 2 ? from[0] : 0);
}
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> CountingEmulator:
    return CountingEmulator(tmp_path_factory.mktemp("counted"), lambda _: GATHER)


@pytest.mark.parametrize(("stride", "sectors"), [(1, 2), (8, 16), (16, 32), (0, 1)])
def test_loads_and_sectors(emulator: CountingEmulator, stride: int, sectors: int) -> None:
    """Three blocks of two warps: 64 loads of two bytes, and 32 more by every other thread, all of one sector."""
    source, other, out = np.ones(1024, np.uint16), np.ones(64, np.uint32), np.zeros(192, np.uint32)
    addresses = [np.uint64(one.ctypes.data) for one in (source, other, out)]
    launch = Launch("gather", "gather", (3, 1, 1), (64, 1, 1), 256, (*addresses, np.int32(stride)))
    assert emulator.loads(launch, source) == Loads(
        source_bytes=2048, bytes=3 * (64 + 32) * 2, warp_loads=3 * 2 * 2, sectors=3 * 2 * (sectors + 1)
    )
    assert sorted(out) == [2] * 96 + [3] * 96


def test_several_buffers(emulator: CountingEmulator) -> None:
    source, other, out = np.ones(64, np.uint16), np.ones(64, np.uint32), np.zeros(64, np.uint32)
    addresses = [np.uint64(one.ctypes.data) for one in (source, other, out)]
    launch = Launch("gather", "gather", (1, 1, 1), (64, 1, 1), 256, (*addresses, np.int32(1)))
    found = emulator.loads(launch, source, other)
    assert (found.source_bytes, found.bytes) == (128 + 256, (64 + 32) * 2 + 64 * 4)
    assert found.sectors == 2 * (2 + 1) + 2 * 4
