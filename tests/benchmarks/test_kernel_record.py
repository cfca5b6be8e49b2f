"""Today's kernels against the record of their machine code and loads."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.kernel_record import __main__ as command
from benchmarks.kernel_record import toolchain
from benchmarks.kernel_record.comparison import ADVICE, worse, worse_code, worse_loads
from benchmarks.kernel_record.loads import CASES, loads_of
from benchmarks.kernel_record.machine_code import ARCHITECTURES, Code, code_of, codes, elf_of
from benchmarks.kernel_record.record import Record, read_record, record_text
from benchmarks.kernel_record.toolchain import Toolchain, ToolMissingError, installed_toolchain
from fcn_edge.ops.kernels import KERNELS, kernel_source, overlay_launch

from ..ops.counting_emulator import CountingEmulator, Loads
from ..ops.emulator import entries_of

RECORD = read_record()
PINS = Path(__file__).resolve().parents[2] / "requirements" / "dev.txt"
BY_BYTES = ("whole_words = count == PIXELS", "whole_words = false && count == PIXELS")
"""Makes overlay slower: it loads and stores bytes only."""


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Toolchain:
    """The pinned compiler, beside another nvcc on the path and flags of the user's."""
    try:
        found = installed_toolchain()
    except ToolMissingError as error:
        pytest.skip(str(error))
    if shutil.which("g++") is None:
        pytest.skip("no g++, which nvcc asks for")
    other = tmp_path / "bin" / "nvcc"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\necho This is the other compiler. >&2\nexit 1\n", encoding="utf-8")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(other.parent), prepend=":")
    monkeypatch.setenv("NVCC_APPEND_FLAGS", "--no-such-flag")
    return found


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> CountingEmulator:
    return CountingEmulator(tmp_path_factory.mktemp("record"))


def held(lines: list[str]) -> None:
    assert not lines, "\n".join([*lines, ADVICE])


OFTEN = {"sm_87", "sm_110"}
"""The boards'; the others are tried by the system tests."""


@pytest.mark.parametrize(
    "architecture", [one if one in OFTEN else pytest.param(one, marks=pytest.mark.system) for one in ARCHITECTURES]
)
def test_machine_code_is_not_worse(architecture: str, tools: Toolchain, tmp_path: Path) -> None:
    found, headers = codes(tools, architecture, tmp_path)
    held(worse_code(RECORD.code, {architecture: found}))
    assert headers == {RECORD.elf}
    for code in found.values():
        assert (code.stack, code.spill_stores, code.spill_loads) == (0, 0, 0)


QUICK = {
    "preprocess 720x1280 to 512x1024",
    "preprocess 1080x1920 to 480x640",
    "decode_fp16 512x1024, 19 classes, stride 8",
    "overlay 1080x1920",
}


def marked(case: str) -> Any:
    """The cases of 4K take as long as all others, by the way that 1080 rows to 480 go."""
    if case in QUICK:
        return case
    return pytest.param(case, marks=pytest.mark.slow if "2160x3840" in case else pytest.mark.system)


@pytest.mark.parametrize("case", [marked(case) for case in CASES])
def test_loads_are_not_more(case: str, emulator: CountingEmulator) -> None:
    held(worse_loads(RECORD.loads, {case: loads_of(emulator, case)}))


def test_the_record_is_whole() -> None:
    entries = {entry for kernel in KERNELS for entry in entries_of(kernel_source(kernel))}
    assert {name: set(found) for name, found in RECORD.code.items()} == dict.fromkeys(ARCHITECTURES, entries)
    assert list(RECORD.loads) == list(CASES)
    assert set(CASES) >= QUICK
    assert {case.split()[0] for case in CASES} == entries - {"decode_fp32"}


def test_the_record_was_made_with_the_pinned_tools() -> None:
    pins = dict(re.findall(r"^(nvidia-cuda-(?:nvcc|nvdisasm))==(.+)$", PINS.read_text(encoding="utf-8"), re.MULTILINE))
    assert (RECORD.compiler, RECORD.disassembler) == (
        f"nvcc {pins[toolchain.NVCC]}",
        f"nvdisasm {pins[toolchain.NVDISASM]}",
    )


def test_nvrtc_writes_the_same_headers() -> None:
    """Drivers of one CUDA major take the files of both compilers of that major."""
    nvrtc = pytest.importorskip("cuda.bindings.nvrtc")
    try:
        _, program = nvrtc.nvrtcCreateProgram(b'extern "C" __global__ void none() {}', b"", 0, [], [])
    except RuntimeError as error:  # its loader says so of a library that is not here
        pytest.skip(f"no NVRTC library: {error}")
    major = nvrtc.nvrtcVersion()[1]
    if f"nvcc {major}." not in RECORD.compiler:
        pytest.skip(f"NVRTC {major}, and the record is of {RECORD.compiler}")
    (status,) = nvrtc.nvrtcCompileProgram(program, 1, [b"--gpu-architecture=sm_87"])
    assert status == nvrtc.nvrtcResult.NVRTC_SUCCESS
    image = bytes(nvrtc.nvrtcGetCUBINSize(program)[1])
    nvrtc.nvrtcGetCUBIN(program, image)
    assert elf_of(image) == RECORD.elf


def test_a_kernel_that_got_worse_is_found(tools: Toolchain, tmp_path: Path) -> None:
    source = kernel_source("overlay").replace(*BY_BYTES)
    code = code_of(tools, source, "sm_87", tmp_path / "cubin")
    lines = worse_code({"sm_87": {"overlay": RECORD.code["sm_87"]["overlay"]}}, {"sm_87": code})
    assert [line for line in lines if line.startswith("overlay for sm_87: loads from global memory got narrower")]

    size = (16, 128)
    frame, mask, palette = (np.zeros(shape, np.uint8) for shape in ((*size, 3), size, (256, 3)))
    launch = overlay_launch(*(one.ctypes.data for one in (frame, mask, palette, frame)), size)
    (tmp_path / "before").mkdir()
    before = CountingEmulator(tmp_path / "before").loads(launch, frame, mask)
    now = CountingEmulator(tmp_path, lambda _: source).loads(launch, frame, mask)
    assert before.bytes == frame.nbytes + mask.nbytes
    assert worse_loads({"overlay": before}, {"overlay": now}) == [
        f"overlay: bytes grew from {before.bytes} to {now.bytes}",
        f"overlay: warp_loads grew from {before.warp_loads} to {now.warp_loads}",
        f"overlay: sectors grew from {before.sectors} to {now.sectors}",
    ]


CODE = Code(40, 0, 0, 0, 100, 1000, 10, {8: 1, 32: 9}, {32: 3})


def test_what_the_compiler_refuses_is_told(tools: Toolchain, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"does not compile broken.cu for sm_87:\n.*no_such_name"):
        code_of(tools, "__global__ void broken() { no_such_name(); }", "sm_87", tmp_path / "broken.cubin")


@pytest.mark.system
def test_a_newer_compiler_of_the_system_is_taken(
    tools: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that only says so: the headers of the real one do not fit to that, and nvcc itself must not complain."""
    for name in ("gcc", "g++"):
        newer = tmp_path / "newer" / name
        newer.parent.mkdir(exist_ok=True)
        newer.write_text(f'#!/bin/sh\nexec {shutil.which(name)} "$@" -U__GNUC__ -D__GNUC__=99\n', encoding="utf-8")
        newer.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "newer"), prepend=":")
    said = ""
    try:
        code_of(tools, kernel_source("overlay"), "sm_87", tmp_path / "overlay.cubin")
    except ValueError as error:
        said = str(error)
    assert "unsupported GNU version" not in said


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"registers": 44, "instructions": 1100, "divisions": 11, "shared": 110}, []),
        ({"registers": 30, "instructions": 900, "loads": {128: 1}}, []),
        ({"registers": 45}, ["registers grew from 40 to 45"]),
        ({"instructions": 1101}, ["instructions grew from 1000 to 1101"]),
        ({"divisions": 12}, ["divisions grew from 10 to 12"]),
        ({"shared": 111}, ["shared grew from 100 to 111"]),
        ({"stack": 8, "spill_stores": 4, "spill_loads": 8}, [
            "stack grew from 0 to 8", "spill_stores grew from 0 to 4", "spill_loads grew from 0 to 8",
        ]),
        ({"loads": {8: 2, 32: 9}}, []),
        ({"loads": {8: 3, 32: 9}}, [
            "loads from global memory got narrower: by bits {8: 3, 32: 9}, in the record {8: 1, 32: 9}",
        ]),
        ({"stores": {8: 9}}, []),
    ],
)  # fmt: skip
def test_what_may_change_and_what_may_not(change: dict[str, Any], told: list[str]) -> None:
    now = replace(CODE, **change)
    lines = worse_code({"sm_87": {"overlay": CODE}}, {"sm_87": {"overlay": now}})
    assert lines == [f"overlay for sm_87: {line}" for line in told]


def test_a_load_that_is_narrower_than_all_before_is_found() -> None:
    wide = replace(CODE, loads={32: 100})
    lines = worse_code({"sm_87": {"a": wide}}, {"sm_87": {"a": replace(CODE, loads={16: 1, 32: 100})}})
    assert len(lines) == 1


def test_loads_may_grow_by_a_tenth() -> None:
    before = Loads(1000, 1000, 1000, 1000)
    assert worse_loads({"a": before}, {"a": replace(before, bytes=1100, warp_loads=1100, sectors=1100)}) == []
    assert worse_loads({"a": before}, {"a": replace(before, sectors=1101)}) == ["a: sectors grew from 1000 to 1101"]


def test_what_only_one_side_has_is_told() -> None:
    other = replace(
        RECORD,
        compiler="nvcc 13.5",
        code={"sm_87": {"new": CODE}},
        loads={"new 1x1": Loads(1, 1, 1, 1)},
    )
    lines = worse(RECORD, other)
    assert lines[0] == f"compiler: nvcc 13.5, and the record was made with {RECORD.compiler}"
    assert {"new for sm_87: not in the record", "overlay for sm_87: only in the record"} <= set(lines)
    assert lines[-1] == "new 1x1: not in the record"
    assert worse(RECORD, RECORD) == []


def test_the_command_tells_what_got_worse_and_writes_the_record(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def measured(tools: object, folder: Path) -> Record:
        return RECORD

    output = tmp_path / "kernels.json"
    output.write_text(record_text(replace(RECORD, compiler="nvcc 12.0")), encoding="utf-8")
    monkeypatch.setattr(command, "measured", measured)
    monkeypatch.setattr(command, "installed_toolchain", object)
    done = CliRunner().invoke(command.main, ["-o", str(output)])
    assert done.exit_code == 0, done.output
    assert f"compiler: {RECORD.compiler}, and the record was made with nvcc 12.0\n" in done.output
    assert read_record(output) == RECORD


def test_a_compiler_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(toolchain, "distribution", missing)
    done = CliRunner().invoke(command.main, [])
    assert done.exit_code == 1
    assert "nvidia-cuda-nvcc is not installed; requirements/dev.txt has it." in done.output
