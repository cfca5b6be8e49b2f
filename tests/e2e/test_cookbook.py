"""Every page of the cookbook, run from its first to its last line by a shell, on rendered scenes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .cookbook_networks import NETWORKS, write_network
from .documents import COOKBOOK, ROOT, blocks_of, name_of
from .workspace import QUICK, write_workspace

# the choice between two libraries, which takes the longest, is made in the README's commands
IN_A_SHELL = {**QUICK, "build": f"{QUICK['build']} --backend onnxruntime"}
COMMAND = f"""#!{sys.executable}
import os, sys
quick = {IN_A_SHELL!r}
words = [*sys.argv[1:], *quick.get(sys.argv[1], "").split()]
os.execv(sys.executable, [sys.executable, "-m", "fcn_edge", *words])
"""


ENGINES = {
    "own-data": ["streets"],
    "int8": ["int8"],
    "healing-camera": [],
    "torchvision": ["torchvision"],
    "authors-fcn": ["authors"],
    "mmsegmentation": ["mmsegmentation"],
    "jetson-inference": ["segnet"],
    "ultralytics": ["yolo"],
    "any-onnx": ["theirs"],
}
"""What each page builds."""

MARKS = {"own-data": [pytest.mark.system], "torchvision": [pytest.mark.system]}
"""Pages of half a minute each; those of the other families are slow: their commands are tested one by one elsewhere."""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What a shell finds: ``fcn-edge`` of this tree, which is quick, and a ``pip`` that installs nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("fcn-edge", COMMAND), ("pip", "#!/bin/sh\n")):
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def script_of(page: Path) -> str:
    """The blocks of a page as one script; Python goes to the interpreter that runs the tests."""
    parts = ["set -euo pipefail"]
    for block in blocks_of(page):
        if block.language == "bash":
            parts.append(block.text)
        elif block.language == "python":
            parts.append(f"{sys.executable} - << 'PYTHON'\n{block.text}PYTHON")
    return "\n".join(parts)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            page, marks=MARKS.get(page.stem, [pytest.mark.slow] if page.stem in NETWORKS else []), id=name_of(page)
        )
        for page in COOKBOOK
    ],
)
def test_a_page_can_be_followed(page: Path, environment: dict[str, str], tmp_path: Path) -> None:
    script = script_of(page)
    pytest.importorskip("onnxruntime", reason="no engine can be built without a backend")
    pytest.importorskip("onnx", reason="calibrating and building INT8 need onnx")
    if "fcn-edge train" in script or "fcn-edge export" in script:
        pytest.importorskip("torch", reason="training needs torch, and so do the networks that are exported")
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    folder = tmp_path / "work"
    folder.mkdir()
    write_workspace(folder)
    write_network(folder, page.stem)
    done = subprocess.run(
        [bash, "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    engines = sorted(path.parent.name for path in folder.glob("engines/*/engine.json"))
    assert engines == ENGINES[page.stem]
    assert "masks.mp4" not in script or (folder / "masks.mp4").stat().st_size > 0


def test_every_block_of_the_cookbook_says_what_it_is() -> None:
    """A block without a language is text; a command in one would never be run."""
    texts = [block.text for page in COOKBOOK for block in blocks_of(page) if block.language not in ("bash", "python")]
    assert [text for text in texts if "fcn-edge " in text] == []
