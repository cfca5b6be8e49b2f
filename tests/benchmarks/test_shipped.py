from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from benchmarks.nets.shipped import main, models_before, models_now, shipped_table
from fcn_edge.artifacts.models import Manifest, shipped_models

DECODERS = ("fcn32s", "fcn16s", "fcn8s")


def scored(points: int) -> dict[str, Manifest]:
    """Three models whose scores are ``points``, ``points`` + 1 and ``points`` + 2 percent; nothing shows a pole."""
    found = {}
    for decoder in DECODERS:
        score = points / 100
        record = {"dataset": "camvid", "split": "val", "images": 1, "size": (96, 128), "miou": score}
        record |= {"pixel_accuracy": score, "mean_accuracy": score, "fw_iou": score}
        record |= {"per_class": {"sky": score + 0.1, "pole": None}}
        name = f"camvid-mobilenet_v2-{decoder}"
        content = {"name": name, "model_sha256": "0", "model_digest": "0", "size": (96, 128)}
        found[name] = Manifest.model_validate({**content, "accuracy": {"camvid val": record}})
        points += 1
    return found


def test_both_stand_side_by_side() -> None:
    header, _, means, pixels, sky, pole = shipped_table(scored(50), scored(60)).splitlines()
    assert header.startswith("|  | FCN-32s, before | FCN-32s, now | FCN-16s, before |")
    assert means == "| mIoU | 50.0 | 60.0 | 51.0 | 61.0 | 52.0 | 62.0 |"
    assert pixels.startswith("| pixel accuracy | 50.0 | 60.0 |")
    assert sky == "| sky | 60.0 | 70.0 | 61.0 | 71.0 | 62.0 | 72.0 |"
    assert pole.count("\N{EN DASH}") == 6


def test_keeps_what_ships_now(tmp_path: Path) -> None:
    output = tmp_path / "before.json"
    done = CliRunner().invoke(main, ["-o", str(output)])
    assert done.exit_code == 0, done.output
    assert models_before(output) == models_now()
    assert tuple(sorted(models_now())) == shipped_models()


def test_no_decoder_and_no_class_got_worse() -> None:
    before, now = models_before(), models_now()
    assert before.keys() == now.keys()
    for name, manifest in before.items():
        old, new = manifest.accuracy["camvid val"], now[name].accuracy["camvid val"]
        assert new.miou >= old.miou, name
        for label, value in old.per_class.items():
            assert value is not None
            reached = new.per_class[label]
            assert reached is not None
            assert reached >= value - 0.0005, (name, label)  # less than what a tenth of a point is rounded from
