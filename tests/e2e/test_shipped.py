"""The commands of the README with the models that ship, on rendered streets, as a newcomer runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fcn_edge.artifacts.models import Model, manifest_of, resolved_model, shipped_models
from fcn_edge.bench.result import read_result
from fcn_edge.cli import demo

STREET = "synthetic://street?seed=7&size=240x320&frames=6"
LARGEST = 6 * 1000 * 1000


def run(*words: str, cwd: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "fcn_edge", *words, "--json"]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.fixture(params=["fcn32s", "fcn16s", "fcn8s"])
def shipped(request: pytest.FixtureRequest) -> Model:
    return resolved_model(f"camvid-mobilenet_v2-{request.param}")


def test_each_is_whole_small_and_says_how_accurate_it_is(shipped: Model) -> None:
    manifest = manifest_of(shipped)
    assert manifest is not None
    assert manifest.name == shipped.shipped == shipped.spec.name
    assert shipped.path.stat().st_size <= LARGEST
    assert not manifest.accuracy["camvid val"].rendered
    assert any(record.rendered for record in manifest.accuracy.values())


def test_finer_decoders_are_more_accurate() -> None:
    mious = []
    for decoder in ("fcn32s", "fcn16s", "fcn8s"):
        manifest = manifest_of(resolved_model(f"camvid-mobilenet_v2-{decoder}"))
        assert manifest is not None
        mious.append(manifest.accuracy["camvid val"].miou)
    assert mious == sorted(mious)
    assert len(set(mious)) == len(shipped_models())


def test_evaluate_gives_what_the_manifest_says(shipped: Model, camvid: Path, tmp_path: Path) -> None:
    manifest = manifest_of(shipped)
    assert manifest is not None
    recorded = manifest.accuracy["camvid val"]
    result = run("evaluate", str(shipped.shipped), "--data", str(camvid / "val"), cwd=tmp_path)
    assert result["images"] == recorded.images
    assert result["miou"] == pytest.approx(recorded.miou, abs=2e-4)


def test_a_rendered_street_to_video_masks_and_lines(tmp_path: Path) -> None:
    name = "camvid-mobilenet_v2-fcn8s"
    result = run("run", name, STREET, "out.mp4", "masks/", "--size", "256x320", cwd=tmp_path)
    assert result["frames"] == 6
    assert result["dropped"] == 0
    # the net was trained on such streets too: masks that make no sense would score far below
    assert result["rendered_miou"] > 0.35
    assert (tmp_path / "out.mp4").stat().st_size > 0
    assert len(list((tmp_path / "masks").glob("*.png"))) == 6


def test_an_engine_runs_like_its_model(tmp_path: Path) -> None:
    built = run("build", "camvid-mobilenet_v2-fcn32s", "--size", "128x160", "-o", "engine", cwd=tmp_path)
    assert built["engine"].endswith("engine")
    direct = run("run", "camvid-mobilenet_v2-fcn32s", STREET, "--size", "128x160", cwd=tmp_path)
    engine = run("run", "engine", STREET, cwd=tmp_path)
    assert engine["rendered_miou"] == pytest.approx(direct["rendered_miou"], abs=1e-3)
    again = run("build", "camvid-mobilenet_v2-fcn32s", "--size", "128x160", "-o", "engine", "--if-stale", cwd=tmp_path)
    assert again["engine"] == built["engine"]


def test_inspect_shows_spec_and_manifest(tmp_path: Path) -> None:
    result = run("inspect", "camvid-mobilenet_v2-fcn16s", cwd=tmp_path)
    assert result["spec"]["decoder"] == "fcn16s"
    assert result["manifest"]["accuracy"]["camvid val"]["miou"] > 0


def test_doctor_reports(tmp_path: Path) -> None:
    assert all({"name", "ok", "found", "fix"} <= set(check) for check in run("doctor", cwd=tmp_path)["checks"])


@pytest.mark.system  # it calibrates and builds at full size
@pytest.mark.timeout(900)
def test_the_demo_leaves_video_picture_summary_and_report(tmp_path: Path) -> None:
    assert demo.main(["-o", str(tmp_path), "--frames", "4"]) == 0
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["frames"] == 4
    assert 0 < summary["rendered_miou"] <= 1
    assert (tmp_path / "out.mp4").stat().st_size > 0
    assert (tmp_path / "street.png").stat().st_size > 0
    result = read_result(tmp_path / "bench.json")
    measured = {(row.decoder, row.precision) for row in result.rows if row.state == "measured"}
    assert measured == {(decoder, kind) for decoder in ("fcn32s", "fcn16s", "fcn8s") for kind in ("fp32", "int8")}
    assert summary["report_rows"] == len(result.rows)
    assert result.examples
    assert "<svg" in (tmp_path / "report.html").read_text()
