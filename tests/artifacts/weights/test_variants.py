from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fcn_edge.artifacts.weights import StoredTensor, Weights, variants


def weights(*keys: str) -> Weights:
    tensors = {key: StoredTensor((1,), "float32", lambda: np.ones(1)) for key in keys}
    return Weights(Path("net.pth"), "zip", tensors, {}, frozenset(), "state_dict")


def found(*keys: str) -> list[tuple[str, list[str]]]:
    return [(variant.prefix, list(variant.tensors)) for variant in variants(weights(*keys))]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["a.weight"], [("", ["a.weight"])]),
        (["module.a.weight", "module.b"], [("", ["module.a.weight", "module.b"]), ("module.", ["a.weight", "b"])]),
        (
            ["n_averaged", "module.a"],
            [("", ["n_averaged", "module.a"]), ("module.", ["n_averaged", "a"]), ("module.", ["a"])],
        ),
        # torch.nn.DataParallel around a part
        (
            ["features.module.0.weight", "classifier.weight"],
            [
                ("", ["features.module.0.weight", "classifier.weight"]),
                ("module.", ["features.0.weight", "classifier.weight"]),
            ],
        ),
        # a Lightning module around a torchvision FCN
        (
            ["model.backbone.conv1.weight", "model.classifier.4.weight", "loss.weight"],
            [
                ("", ["model.backbone.conv1.weight", "model.classifier.4.weight", "loss.weight"]),
                ("model.", ["backbone.conv1.weight", "classifier.4.weight"]),
                ("model.backbone.", ["conv1.weight"]),
            ],
        ),
    ],
)
def test_prefixes_are_stripped(keys: list[str], expected: list[tuple[str, list[str]]]) -> None:
    assert found(*keys) == expected


def test_in_any_nesting() -> None:
    last = found("module._orig_mod.net.network.encoder.a", "other.b")[-1]
    assert last == ("module._orig_mod.net.network.encoder.", ["a"])
    assert found("model.a", "model._orig_mod.a")[-1] == ("model._orig_mod.", ["a"])


def test_nothing_is_left_of_a_key() -> None:
    assert found("module.", "model") == [("", ["module.", "model"])]
    assert found() == []


def test_what_is_beside_the_tensors_stays() -> None:
    *_, last = variants(weights("module.a"))
    assert (last.path, last.kind, last.wrapper) == (Path("net.pth"), "zip", "state_dict")


def test_variants_are_few() -> None:
    prefixes = ("model.", "net.", "network.", "backbone.", "encoder.")
    keys = [a + b + c + "x" for a in prefixes for b in prefixes for c in prefixes]
    assert len(found(*keys)) == 64
