"""Trainings on one thread, with their state outside of the work tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fcn_edge.artifacts.label_sets import LABEL_SETS
from fcn_edge.io.images import write_png
from fcn_edge.street import Street


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where trainings of this test keep their state; there from the first one on."""
    folder = tmp_path / "runs"
    monkeypatch.setenv("FCN_EDGE_RUNS", str(folder))
    return folder


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    try:
        import torch
    except ModuleNotFoundError:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", autouse=True)
def short_encoder() -> Iterator[None]:
    """MobileNetV2 stands for a short and thin encoder: what is tested here is how a network is trained, not which."""
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError:
        yield
        return
    from fcn_edge.nets.encoders import ENCODERS

    from ..thin_encoders import ShortMobileNetV2

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(ENCODERS, "mobilenet_v2", ShortMobileNetV2)
        yield


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six training and two validation images of rendered streets, 64x96, on disk as CamVid is."""
    root = tmp_path_factory.mktemp("tiny")
    (root / "dataset.toml").write_text(
        'name = "tiny"\nclasses = ' + str(list(LABEL_SETS["camvid"].classes)).replace("'", '"') + "\nvoid = 11\n"
    )
    for name, seeds in {"train": range(6), "val": range(10, 12)}.items():
        (root / name / "images").mkdir(parents=True)
        (root / name / "labels").mkdir()
        for seed in seeds:
            image, labels = Street(seed=seed, size=(64, 96), frames=1).frame(0)
            write_png(root / name / f"images/{seed}.png", image)
            write_png(root / name / f"labels/{seed}.png", labels)
    return root
