"""Every test file of the tree runs: pytest passes over folders with some names, and says nothing about it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TREE = Path(__file__).parent
PROJECT = TREE.parent


def left_out(project: Path) -> set[str]:
    """Test files below ``tests`` that pytest, run without arguments, does not collect."""
    script = TREE / "collected_modules.py"
    done = subprocess.run(
        [sys.executable, str(script)], cwd=project, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    collected = {Path(line) for line in done.stdout.splitlines() if line.endswith(".py")}
    written = {path for pattern in ("test_*.py", "*_test.py") for path in (project / "tests").rglob(pattern)}
    return {path.relative_to(project).as_posix() for path in written - collected}


def test_every_test_file_is_collected() -> None:
    assert left_out(PROJECT) == set()


def test_a_folder_that_pytest_passes_over_is_noticed(tmp_path: Path) -> None:
    for name in ("build", "dist", "convert"):
        (tmp_path / "tests" / name).mkdir(parents=True)
        (tmp_path / "tests" / name / f"test_{name}.py").write_text("def test_nothing(): pass\n")
    settings = tmp_path / "pyproject.toml"
    settings.write_text('[tool.pytest.ini_options]\ntestpaths = ["tests"]\n')
    assert left_out(tmp_path) == {"tests/build/test_build.py", "tests/dist/test_dist.py"}
    settings.write_text('[tool.pytest.ini_options]\ntestpaths = ["tests"]\nnorecursedirs = [".*"]\n')
    assert left_out(tmp_path) == set()


def test_no_conftest_leaves_files_out() -> None:
    """Those are not asked above."""
    leaving = [path for path in TREE.rglob("conftest.py") if "collect_ignore" in path.read_text(encoding="utf-8")]
    assert not leaving
