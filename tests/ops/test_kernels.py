"""The kernels as text: what is shipped compiles for every device, and is what the table of launches says."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import numpy as np
import pytest

from fcn_edge.artifacts.spec import Resize
from fcn_edge.ops import kernels
from fcn_edge.ops.geometry import placement
from fcn_edge.ops.kernels import KERNELS, Launch, decode_launch, kernel_source

from .emulator import entries_of


def test_every_kernel_file_is_in_the_table():
    found = sorted(path.stem for path in Path(kernels.__file__).parent.glob("*.cu"))
    assert tuple(found) == KERNELS


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_source_needs_no_other_file(kernel):
    source = kernel_source(kernel)
    assert entries_of(source)
    assert "#include" not in source


def test_the_table_of_arguments_is_that_of_the_sources():
    table = dict(re.findall(r"^    (\w+) {2,}(const .*?)(?=\n    \w|\n\n)", kernels.__doc__, re.M | re.S))
    shared = table["decode_fp16"].split("not_finite,")[1]
    table["decode_fp32"] = table["decode_fp32"].replace(" then as decode_fp16", shared)
    found = {}
    for kernel in KERNELS:
        source = kernel_source(kernel)
        for entry in entries_of(source):
            found[entry] = re.search(rf"\b{entry}\((const [^)]*)\)", source)[1]
    assert {entry: arguments(text) for entry, text in table.items()} == {
        entry: arguments(text) for entry, text in found.items()
    }


def test_arguments_are_packed_once():
    values = (np.uint64(0xDEADBEEF00), np.int32(-3), np.float32(0.5), np.int64(-(1 << 40)))
    launch = Launch("decode", "decode_fp32", (1, 1, 1), (1, 1, 1), 0, values)
    addresses = (ctypes.c_uint64 * 4).from_address(launch.packed.pointer)
    kinds = (ctypes.c_uint64, ctypes.c_int32, ctypes.c_float, ctypes.c_int64)
    assert [kind.from_address(at).value for kind, at in zip(kinds, addresses, strict=True)] == list(values)
    assert all(at % 8 == 0 for at in addresses)
    assert launch.packed is launch.packed


def arguments(text: str) -> list[str]:
    return [" ".join(argument.replace("*", " * ").split()) for argument in text.split(",")]


@pytest.mark.parametrize("kernel", KERNELS)
def test_nvrtc_compiles(kernel):
    nvrtc = pytest.importorskip("cuda.bindings.nvrtc")
    try:
        status, program = nvrtc.nvrtcCreateProgram(kernel_source(kernel).encode(), b"", 0, [], [])
    except RuntimeError as error:  # its loader says so of a library that is not here
        pytest.skip(f"no NVRTC library: {error}")
    assert status == nvrtc.nvrtcResult.NVRTC_SUCCESS
    options = [b"--gpu-architecture=sm_87", b"--std=c++14", b"-Werror", b"all-warnings"]
    (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    _, size = nvrtc.nvrtcGetProgramLogSize(program)
    log = bytearray(size)
    nvrtc.nvrtcGetProgramLog(program, log)
    assert status == nvrtc.nvrtcResult.NVRTC_SUCCESS, log.decode()
    assert nvrtc.nvrtcGetCUBINSize(program)[1] > 0


@pytest.mark.parametrize("stride", [8, 16, 32])
@pytest.mark.parametrize("classes", [1, 11, 150, 255])
@pytest.mark.parametrize("frame_size", [(1, 1), (30, 40), (720, 1280), (2160, 3840)], ids=str)
def test_blocks_cover_the_frame_within_their_shared_memory(frame_size, classes, stride):
    mapping = placement(frame_size, (512, 1024), Resize()).mapping(stride)
    shape = (4, classes, 512 // stride, 1024 // stride)
    launch = decode_launch(0, "float16", shape, mapping, 255, 0, 0)
    tile_rows, tile_columns = (int(number) for number in launch.arguments[-4:-2])
    assert launch.grid == (-(-frame_size[1] // tile_columns), -(-frame_size[0] // tile_rows), 4)
    assert launch.shared_bytes <= 32 << 10
    assert max(launch.grid) < 1 << 16
