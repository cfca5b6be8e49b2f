"""Every name of TensorRT that the backends use is in every version that it is for, and takes what it is given."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import fcn_edge.backends.tensorrt as package

from .exercise import exercise
from .standin import Touched, standin
from .trim_api import TRIMMED, VERSIONS, read, touched_in, trimmed

RTX_ONLY = ("ComputeCapability", "CudaGraphStrategy", "EngineInvalidityDiagnostics", "EngineValidity")
"""Classes that are asked for before they are used."""

SOURCES = sorted(Path(package.__file__).parent.rglob("*.py"))


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def api(version: str) -> Any:
    return read(TRIMMED / f"{version}.json")


def test_the_backends_run_on_every_version(api: Any, tmp_path: Path) -> None:
    exercise(api, tmp_path)


@pytest.fixture(scope="module")
def touched(shared: Path) -> Touched:
    return touched_in(shared / "tensorrt_api")


def test_the_lists_are_those_of_the_real_bindings(version: str, shared: Path, touched: Touched) -> None:
    again = trimmed(read(shared / "tensorrt_api" / f"{version}.json"), touched)
    assert again == read(TRIMMED / f"{version}.json"), "run python -m tests.backends.tensorrt.trim_api"


def names_of_the_library(path: Path) -> tuple[set[str], set[str]]:
    """What a source takes from the module ``trt`` or ``library``, as ``X`` or ``X.Y``; and the names that it guards."""
    names, guarded, aliases = set(), set(), {"library": "trt"}
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            text = ast.unparse(node.value)
            if re.fullmatch(r"trt\.\w+", text):
                aliases[node.targets[0].id] = text
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("hasattr", "getattr"):
            guarded |= {argument.value for argument in node.args if isinstance(argument, ast.Constant)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            root, _, rest = ast.unparse(node).partition(".")
            text = f"{aliases.get(root, root)}.{rest}"
            if re.fullmatch(r"trt(\.\w+){1,2}", text) and "__" not in text:
                names.add(text.removeprefix("trt."))
    return names, guarded


def test_names_are_found() -> None:
    names, guarded = names_of_the_library(next(path for path in SOURCES if path.name == "memory.py"))
    assert {"MemoryPoolType", "MemoryPoolType.WORKSPACE", "MemoryPoolType.TACTIC_DRAM"} <= names
    assert "TACTIC_DRAM" in guarded


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_name_in_the_sources_exists(path: Path, version: str, api: Any) -> None:
    """This covers lines that the exercise does not reach."""
    names, guarded = names_of_the_library(path)
    for name in names:
        kind, _, member = name.partition(".")
        if kind in RTX_ONLY and not version.startswith("rtx"):
            continue
        there = kind in api and (not member or member in api[kind]["members"])
        assert there or {kind, member} & guarded, f"{version} has no {name}, which {path.name} uses"


def test_a_stand_in_has_only_what_the_version_has(api: Any) -> None:
    trt = standin(api)
    builder = trt.Builder(trt.ILogger())
    with pytest.raises(AttributeError):
        builder.max_workspace_size = 1
    with pytest.raises(AttributeError):
        trt.BuilderFlag.NONSENSE  # noqa: B018
    with pytest.raises(TypeError, match="create_network"):
        builder.create_network("typed")
    with pytest.raises(TypeError, match=r"Builder\.__init__"):
        trt.Builder()


def test_a_stand_in_checks_what_is_overridden(api: Any) -> None:
    trt = standin(api)
    with pytest.raises(TypeError, match="step_complete"):
        type("Monitor", (trt.IProgressMonitor,), {"step_complete": lambda self: True})


def test_the_installed_library_is_as_its_list_says() -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
    listed = read(TRIMMED / "rtx-1.7.1.json")
    if trt.__version__ != listed["__version__"]:
        pytest.skip(f"the list is of {listed['__version__']}, {trt.__version__} is installed")
    assert differences(trt, listed) == []


WRITTEN = {
    "IBuilderConfig.num_compute_capabilities",
    "IBuilderConfig.profiling_verbosity",
    "IBuilderConfig.progress_monitor",
    "ITensor.shape",
}
"""Properties that the builder sets."""


def test_differences_are_found() -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
    listed = {
        "__version__": trt.__version__,
        "BuilderFlag": {"members": ["INT8", "TF32"]},
        "Builder": {"members": [], "signatures": {"create_network": ["create_network(self: trt.Builder) -> None"]}},
    }
    wrong = differences(trt, listed)
    assert wrong[0] == "BuilderFlag.INT8 is missing"
    assert wrong[1].startswith("Builder.create_network: ")
    assert len(wrong) == 2


def differences(trt: Any, listed: Any) -> list[str]:
    """What a real binding has not, or not as a list says."""
    wrong = [] if trt.__version__ == listed["__version__"] else [f"it is {trt.__version__}"]
    for kind, entry in listed.items():
        if kind == "__version__":
            continue
        for member in entry["members"]:
            found = getattr(getattr(trt, kind, None), member, None)
            if found is None:
                wrong.append(f"{kind}.{member} is missing")
            elif f"{kind}.{member}" in WRITTEN and found.fset is None:
                wrong.append(f"{kind}.{member} cannot be set")
        for member, signatures in entry.get("signatures", {}).items():
            document = re.sub(r"tensorrt\w*\.tensorrt\w*\.", "trt.", getattr(getattr(trt, kind), member).__doc__ or "")
            if not any(signature in document for signature in signatures):
                wrong.append(f"{kind}.{member}: {signatures} is not in {document!r}")
    return wrong


STUB = """
#define STUB(name) void *name() { return 0; }
STUB(createInferBuilder_INTERNAL) STUB(createInferRuntime_INTERNAL) STUB(createInferRefitter_INTERNAL)
STUB(createNvOnnxParser_INTERNAL) STUB(createNvOnnxParserRefitter_INTERNAL) STUB(getPluginRegistry)
STUB(getBuilderPluginRegistry) STUB(initLibNvInferPlugins) STUB(getNvOnnxParserVersion) STUB(getInferLibVersion)
"""
CHECK = """
import json, sys
import tensorrt_bindings as trt
from tests.backends.tensorrt.test_api import differences
print(json.dumps(differences(trt, json.loads(sys.stdin.read()))))
"""


@pytest.mark.slow
@pytest.mark.parametrize("version", [version for version in VERSIONS if not version.startswith("rtx")])
def test_real_bindings_are_as_their_lists_say(version: str, tmp_path: Path) -> None:
    """The real binding is loaded over libraries that have its symbols and do nothing."""
    wheels, site, libraries = tmp_path / "wheels", tmp_path / "site", tmp_path / "lib"
    got = subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "-d",
            wheels,
            f"tensorrt-cu12-bindings=={version}",
        ],
        capture_output=True,
        text=True,
        timeout=200,
    )
    if got.returncode:
        pytest.skip(f"no wheel of the bindings {version}: {got.stderr.strip().splitlines()[-1]}")
    subprocess.run(
        [sys.executable, "-m", "zipfile", "-e", next(wheels.iterdir()), site],
        check=True,
        capture_output=True,
        timeout=60,
    )
    libraries.mkdir()
    (libraries / "stub.c").write_text(STUB)
    major = version.partition(".")[0]
    for name in ("nvinfer", "nvinfer_plugin", "nvonnxparser"):
        soname = f"lib{name}.so.{major}"
        command = [
            "gcc",
            "-shared",
            "-fPIC",
            "-w",
            f"-Wl,-soname,{soname}",
            "-o",
            libraries / soname,
            libraries / "stub.c",
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        except FileNotFoundError:
            pytest.skip("no C compiler")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHECK)],
        input=(TRIMMED / f"{version}.json").read_text(encoding="utf-8"),
        capture_output=True,
        text=True,
        timeout=100,
        env={"PYTHONPATH": f"{site}:{':'.join(sys.path)}", "LD_LIBRARY_PATH": str(libraries), "PATH": "/usr/bin:/bin"},
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
