from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fcn_edge.artifacts.engine_manifest import MANIFEST_FILE, read_manifest, write_manifest
from fcn_edge.artifacts.onnx_header import model_digest
from fcn_edge.backends.onnxruntime.cpu import OnnxRuntime
from fcn_edge.backends.opening import open_engine
from fcn_edge.backends.options import BuildOptions, RunOptions
from fcn_edge.builder import Build, BuildRequest, write_typed_onnx
from fcn_edge.builder import build as build_module
from fcn_edge.builder.tuner import Tuner
from fcn_edge.errors import EngineError, MachineError, ModelError, UsageError
from fcn_edge.testing.engine import FakeEngine
from tests.tiny_network import TinyNetwork

pytestmark = pytest.mark.usefixtures("onnxruntime_alone", "quick_builds")

Write = Callable[..., Any]


def build_engine(
    model: Path, *, output: Path | None = None, if_stale: bool = False, tell: Any = lambda _: None, **request: Any
) -> Build:
    return build_module.build_engine(model, BuildRequest(**request), output=output, if_stale=if_stale, tell=tell)


@pytest.fixture
def other(add_backend: Any) -> Any:
    """The second backend."""
    return add_backend()


def never(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    raise AssertionError


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_engine_is_the_model_with_a_manifest(tiny: Any, tmp_path: Path) -> None:
    built = build_engine(tiny.path, size=(96, 128), output=tmp_path / "e")
    assert built.engine == tmp_path / "e"
    assert not built.up_to_date
    assert sorted(files(built.engine)) == [MANIFEST_FILE, "model.onnx"]
    manifest = read_manifest(built.engine)
    assert manifest == built.manifest
    assert (manifest.size, manifest.spec, manifest.backend) == ((96, 128), tiny.spec, "onnxruntime")
    assert manifest.model == str(tiny.path)
    assert manifest.model_digest == model_digest(tiny.path)
    assert manifest.library == OnnxRuntime().probe().version
    assert manifest.device.kind == "cpu"
    assert manifest.device.capability
    assert manifest.build_seconds >= 0
    assert manifest.speed is not None
    assert manifest.speed.end_to_end_ms > 0
    assert manifest.speed.frame_size == (48, 64)
    assert manifest.accuracy is None
    assert [path.name for path in tmp_path.iterdir()] == ["e"]


def test_only_candidate_is_kept_and_says_why(tiny: Any, tmp_path: Path) -> None:
    (auto,) = build_engine(tiny.path, output=tmp_path / "e").candidates
    assert (auto.backend, auto.precision, auto.miou, auto.kept) == ("onnxruntime", "fp32", None, True)
    assert auto.reason == "the only one that runs here"
    assert auto.end_to_end_ms is not None
    (named,) = build_engine(tiny.path, backend="onnxruntime", output=tmp_path / "e").candidates
    assert named.reason == "asked for"


def test_default_place_is_below_the_current_directory(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    built = build_engine(tiny.path)
    assert built.engine == Path("engines/tiny-0.onnxruntime.fp32")
    open_engine(built.engine).close()


def test_name_of_a_model_cannot_leave_the_default_place(
    tmp_path: Path, tiny_network: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    network = tiny_network(tmp_path / "m.onnx")
    from fcn_edge.artifacts.onnx_header import SPEC_KEY

    spec = network.spec.replace(name="../../my net/ü")
    tiny_network(network.path, metadata={SPEC_KEY: spec.to_json()})
    assert build_engine(network.path).engine == Path("engines/my_net.onnxruntime.fp32")


def test_engine_there_is_replaced(tmp_path: Path, tiny: Any, tiny_network: Write) -> None:
    second = tiny_network(tmp_path / "second.onnx", seed=1)
    build_engine(tiny.path, output=tmp_path / "e")
    build_engine(second.path, output=tmp_path / "e")
    assert read_manifest(tmp_path / "e").spec == second.spec
    assert (tmp_path / "e" / "model.onnx").read_bytes() == second.path.read_bytes()


@pytest.mark.parametrize("there", [True, False])
def test_engine_behind_a_link_to_another_file_system_is_replaced(
    tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if there:
        build_engine(tiny.path, output=disk / "e")
    (tmp_path / "current").symlink_to(disk / "e")
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        if (disk in Path(source).parents) is not (disk in Path(target).parents):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    built = build_engine(tiny.path, output=tmp_path / "current")
    assert built.engine == tmp_path / "current"
    assert (tmp_path / "current").is_symlink()
    assert read_manifest(disk / "e") == built.manifest
    assert [path.name for path in disk.iterdir()] == ["e"]


def test_engine_there_stays_when_the_build_fails(tmp_path: Path, tiny: Any, tiny_network: Write) -> None:
    build_engine(tiny.path, output=tmp_path / "e")
    before = files(tmp_path / "e")
    for how in ({"bias": float("nan")}, {"operator": "Nothing"}):
        broken = tiny_network(tmp_path / "broken.onnx", **how)
        with pytest.raises(ModelError):
            build_engine(broken.path, output=tmp_path / "e")
    assert files(tmp_path / "e") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.onnx", "e"]


def test_engine_that_does_not_open_takes_no_place(tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(directory: Path, manifest: Any) -> None:
        write_manifest(directory, manifest)
        (directory / "model.onnx").write_bytes(b"")

    monkeypatch.setattr(build_module, "write_manifest", damaged)
    with pytest.raises(EngineError, match="changed or damaged"):
        build_engine(tiny.path, output=tmp_path / "e")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_nothing(tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(OnnxRuntime, "open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build_engine(tiny.path, output=tmp_path / "e")
    assert list(tmp_path.iterdir()) == []


def test_directory_that_is_no_engine_is_left_alone(tmp_path: Path, tiny: Any) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    with pytest.raises(UsageError, match="not an engine"):
        build_engine(tiny.path, output=tmp_path / "photos")
    assert list(files(tmp_path / "photos")) == ["a.jpg"]


def test_engine_is_not_built_from_an_engine(tmp_path: Path, tiny: Any) -> None:
    build_engine(tiny.path, output=tmp_path / "e")
    with pytest.raises(UsageError, match="is an engine already") as caught:
        build_engine(tmp_path / "e", output=tmp_path / "f")
    assert str(tiny.path) in caught.value.fix


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"precision": "fp8"}, "no precision 'fp8'"),
        ({"backend": "tpu"}, "no backend 'tpu'"),
        ({"size": (64, 100)}, "not a multiple of 32"),
    ],
)
def test_wrong_arguments_are_usage_errors(tmp_path: Path, tiny: Any, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build_engine(tiny.path, output=tmp_path / "e", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_graph_of_another_precision_is_refused(tmp_path: Path, tiny_network: Write) -> None:
    from fcn_edge.artifacts.onnx_header import SPEC_KEY

    network = tiny_network(tmp_path / "m.onnx")
    spec = network.spec.replace(precision="fp16")
    tiny_network(network.path, metadata={SPEC_KEY: spec.to_json()})
    with pytest.raises(UsageError, match="is an fp16 graph; the precision fp32 was asked for"):
        build_engine(network.path, output=tmp_path / "e")


@pytest.mark.parametrize(("faster", "slower"), [("other", "onnxruntime"), ("onnxruntime", "other")])
def test_fastest_candidate_is_kept(
    tmp_path: Path, tiny: Any, other: Any, quick_builds: dict[str, float], faster: str, slower: str
) -> None:
    quick_builds[f"{slower}.fp32"] = 12.5
    built = build_engine(tiny.path, output=tmp_path / "e")
    assert built.manifest.backend == faster
    assert built.manifest.speed is not None
    assert built.manifest.speed.end_to_end_ms == 10
    reasons = {candidate.backend: (candidate.kept, candidate.reason) for candidate in built.candidates}
    assert reasons == {faster: (True, "the fastest"), slower: (False, f"2.5 ms slower than {faster}")}


def test_an_only_candidate_need_not_be_timed(
    tmp_path: Path, tiny: Any, other: Any, quick_builds: dict[str, float]
) -> None:
    built = build_engine(tiny.path, output=tmp_path / "one", backend="onnxruntime", timed=False)
    assert built.manifest.speed is None
    quick_builds["onnxruntime.fp32"] = 12.5
    assert build_engine(tiny.path, output=tmp_path / "two", timed=False).manifest.backend == "other"


def test_candidate_that_fails_is_passed_over(tmp_path: Path, tiny: Any, other: Any) -> None:
    other.error = ModelError("It cannot do Conv.")
    built = build_engine(tiny.path, output=tmp_path / "e")
    assert built.manifest.backend == "onnxruntime"
    assert [(candidate.backend, candidate.kept) for candidate in built.candidates] == [
        ("onnxruntime", True),
        ("other", False),
    ]
    assert built.candidates[1].reason == "It cannot do Conv."
    assert built.candidates[1].end_to_end_ms is None
    with pytest.raises(ModelError, match="cannot do Conv"):
        build_engine(tiny.path, backend="other", output=tmp_path / "f")


def test_candidate_that_gives_nonsense_is_passed_over(tmp_path: Path, tiny: Any, other: Any) -> None:
    other.scores = np.full((11, 8, 12), np.nan, np.float32)
    built = build_engine(tiny.path, output=tmp_path / "e")
    assert built.manifest.backend == "onnxruntime"
    assert "NaN" in built.candidates[1].reason


def test_backend_that_is_not_here_is_named_as_a_candidate(tmp_path: Path, tiny: Any, other: Any) -> None:
    other.problem = "It is not installed."
    built = build_engine(tiny.path, output=tmp_path / "e")
    assert [(one.backend, one.kept, one.reason) for one in built.candidates] == [
        ("onnxruntime", True, "the only one that runs here"),
        ("other", False, "It is not installed."),
    ]
    with pytest.raises(MachineError, match="not installed"):
        build_engine(tiny.path, backend="other", output=tmp_path / "f")


def test_second_build_of_the_same_is_not_needed(tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build_engine(tiny.path, output=tmp_path / "e", if_stale=True)
    assert first.reason == "there was none"
    before = files(tmp_path / "e")
    monkeypatch.setattr(Tuner, "outcomes", never)
    second = build_engine(tiny.path, output=tmp_path / "e", if_stale=True)
    assert second.up_to_date
    assert second.manifest == first.manifest
    assert [(one.kept, one.reason) for one in second.candidates] == [(True, "up to date")]
    assert second.candidates[0].end_to_end_ms == first.candidates[0].end_to_end_ms
    assert files(tmp_path / "e") == before


def test_default_place_is_looked_at_too(tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    build_engine(tiny.path)
    assert build_engine(tiny.path, if_stale=True).up_to_date


def stale(directory: Path, **changes: Any) -> None:
    manifest = read_manifest(directory)
    write_manifest(directory, type(manifest).model_validate({**manifest.model_dump(), **changes}))


def changed_spec(directory: Path) -> None:
    spec = read_manifest(directory).spec
    stale(directory, spec=spec.replace(name="other").model_dump())


STALE: dict[str, tuple[Callable[[Path], None], str]] = {
    "model": (lambda e: stale(e, model_digest="0" * 64), "the model's graph or weights changed"),
    "spec": (changed_spec, "the model's spec changed"),
    "size": (lambda e: stale(e, size=(96, 96)), "the size changed from 96x96 to 64x96"),
    "library": (lambda e: stale(e, library="0.9"), "the library changed from 0.9 to"),
    "device": (lambda e: stale(e, device={"kind": "cpu", "name": "Atom", "capability": "sse"}), "from Atom"),
    "options": (
        lambda e: stale(e, options={"backend": "openvino"}),
        "option backend changed from openvino",
    ),
    "damage": (lambda e: (e / "model.onnx").unlink(), "damaged: .* model.onnx is missing"),
    "no manifest": (lambda e: (e / MANIFEST_FILE).write_text("{}") and None, "damaged"),
}


@pytest.mark.parametrize(("change", "said"), STALE.values(), ids=STALE)
def test_engine_that_differs_is_built_again(
    tmp_path: Path, tiny: Any, change: Callable[[Path], None], said: str
) -> None:
    import re

    engine = tmp_path / "e"
    build_engine(tiny.path, output=engine)
    change(engine)
    again = build_engine(tiny.path, output=engine, if_stale=True)
    assert not again.up_to_date
    assert re.search(said, again.reason)
    assert "\n" not in again.reason
    assert build_engine(tiny.path, output=engine, if_stale=True).up_to_date


def test_changed_weights_and_another_size_are_stale(tmp_path: Path, tiny_network: Write) -> None:
    network = tiny_network(tmp_path / "m.onnx")
    build_engine(network.path, output=tmp_path / "e")
    assert "size" in build_engine(network.path, size=(32, 96), output=tmp_path / "e", if_stale=True).reason
    model = network.path.read_bytes()
    weights = network.weight.tobytes()
    assert weights in model
    network.path.write_bytes(model.replace(weights, weights[:-1] + bytes([weights[-1] ^ 1])))
    again = build_engine(network.path, size=(32, 96), output=tmp_path / "e", if_stale=True)
    assert again.reason == "the model's graph or weights changed"


def test_new_backend_makes_the_choice_stale(tmp_path: Path, tiny: Any, other: Any) -> None:
    other.problem = "It is not installed."
    build_engine(tiny.path, output=tmp_path / "e")
    other.problem = ""
    again = build_engine(tiny.path, output=tmp_path / "e", if_stale=True)
    assert "other 5.0" in again.reason


def test_steps_are_told(tmp_path: Path, tiny: Any) -> None:
    told: list[str] = []
    build_engine(tiny.path, output=tmp_path / "e", tell=told.append)
    assert len(told) == 1
    assert "onnxruntime" in told[0]


def test_manifest_is_json_that_other_tools_read(tmp_path: Path, tiny: Any) -> None:
    build_engine(tiny.path, output=tmp_path / "e")
    content = json.loads((tmp_path / "e" / MANIFEST_FILE).read_text())
    assert content["spec"]["classes"] == list(tiny.spec.classes)
    assert content["size"] == [64, 96]
    assert content["files"]["model.onnx"]["bytes"] == tiny.path.stat().st_size


def test_a_chosen_gpu_has_to_be_there_even_where_plans_are_portable(
    build: Callable[..., Build], levels: Any, tmp_path: Path, add_backend: Any
) -> None:
    portable = add_backend("tensorrt-rtx", "cuda")
    portable.problem, portable.builds = "There is no such GPU.", True
    with pytest.raises(MachineError, match="no such GPU"):
        build(levels.path, tmp_path / "e", backend="tensorrt-rtx", device=1)
    assert build(levels.path, tmp_path / "e", backend="tensorrt-rtx").manifest.backend == "tensorrt-rtx"


def test_no_gpu_can_be_chosen_where_nothing_uses_one(
    build: Callable[..., Build], levels: Any, tmp_path: Path, onnxruntime_alone: None
) -> None:
    for backend in ("auto", "onnxruntime"):
        with pytest.raises(UsageError, match="onnxruntime runs on the processor"):
            build(levels.path, tmp_path / "e", backend=backend, device=1)


def test_plans_are_built_and_opened_on_the_chosen_gpu(
    build: Callable[..., Build],
    levels: Any,
    tmp_path: Path,
    add_backend: Any,
    quick_builds: dict[str, float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpu = add_backend("fast", "cuda")
    asked: list[int] = []
    made, opened = gpu.build, gpu.open

    def built_on(self: Any, path: Path, directory: Path, size: Any, options: Any, progress: Any) -> Any:
        asked.append(options.device)
        return made(self, path, directory, size, BuildOptions(), progress)

    def opened_on(self: Any, directory: Path, spec: Any, size: Any, options: Any) -> Any:
        asked.append(options.device)
        return opened(self, directory, spec, size, RunOptions())

    monkeypatch.setattr(gpu, "build", built_on)
    monkeypatch.setattr(gpu, "open", opened_on)
    quick_builds["fast.fp32"] = 1.0
    assert build(levels.path, tmp_path / "e", device=3, guard=False).manifest.backend == "fast"
    assert len(asked) >= 3
    assert set(asked) == {3}
    asked.clear()
    build(levels.path, tmp_path / "f", backend="fast", precision="fp16", device=3, guard=False)
    assert set(asked) == {3}, "what FP16 is compared with, too"


def test_engine_takes_as_many_frames_at_once_as_asked(tmp_path: Path, tiny: Any) -> None:
    built = build_engine(tiny.path, batch=3, output=tmp_path / "e")
    assert built.manifest.batch == read_manifest(tmp_path / "e").batch == 3
    images = [np.full((64, 96, 3), level, np.uint8) for level in (0, 90, 200, 250)]
    with open_engine(tmp_path / "e") as engine, engine.session() as session:
        assert engine.batch == session.batch == 3
        for image, mask in zip(images, session.labels_batch(images), strict=True):
            np.testing.assert_array_equal(mask, session.labels(image))
        np.testing.assert_allclose(session.scores(images[1]), tiny.scores(images[1]), atol=1e-3)


def test_engines_that_take_more_frames_have_a_place_of_their_own(
    tmp_path: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert build_engine(tiny.path).engine == Path("engines/tiny-0.onnxruntime.fp32")
    assert build_engine(tiny.path, batch=2).engine == Path("engines/tiny-0.onnxruntime.fp32.b2")
    assert build_engine(tiny.path, batch=2, if_stale=True).up_to_date
    assert build_engine(tiny.path, if_stale=True).up_to_date


def test_another_batch_is_stale(tmp_path: Path, tiny: Any) -> None:
    build_engine(tiny.path, output=tmp_path / "e")
    again = build_engine(tiny.path, batch=4, output=tmp_path / "e", if_stale=True)
    assert again.reason == "the batch changed from 1 to 4"
    assert build_engine(tiny.path, batch=4, output=tmp_path / "e", if_stale=True).up_to_date


def test_a_graph_of_several_images_is_not_built_again(tmp_path: Path, tiny: Any) -> None:
    export = write_typed_onnx(tiny.path, BuildRequest(batch=2), tmp_path / "m.onnx")
    with pytest.raises(UsageError, match=r"m\.onnx takes 2 images at once already"):
        build_engine(export.path, output=tmp_path / "e")
    assert not (tmp_path / "e").exists()


@pytest.mark.parametrize("batch", [0, -1, 17])
def test_batches_that_no_engine_has_are_refused(batch: int) -> None:
    with pytest.raises(UsageError, match=f"batch is {batch}; 1 to 16 was expected"):
        BuildRequest(batch=batch)


@pytest.mark.usefixtures("quick_builds")
@pytest.mark.parametrize("guard", [True, False], ids=["judged", "timed"])
def test_a_gpu_that_lacks_an_operator_is_only_a_candidate_less(
    build: Callable[..., Build],
    tmp_path: Path,
    levels: Any,
    add_backend: Any,
    monkeypatch: pytest.MonkeyPatch,
    guard: bool,
) -> None:
    """As ONNX Runtime before 1.25 has no Resize: that shows when a session is made, and not in the build."""

    class Lacking(FakeEngine):
        def session(self) -> Any:
            raise MachineError("It runs Resize on the processor.", "Install a newer one.")

    gpu = add_backend("gpu", "cuda")
    monkeypatch.setattr(gpu, "open", lambda _self, _directory, spec, size, _options=None: Lacking(spec, size))
    built = build(levels.path, tmp_path / "e", guard=guard)
    assert built.manifest.backend == "onnxruntime"
    told = {(one.backend, one.kept): one.reason for one in built.candidates}
    assert told["gpu", False] == "It runs Resize on the processor."
    with pytest.raises(MachineError, match="runs Resize on the processor") as caught:
        build(levels.path, tmp_path / "g", backend="gpu", guard=guard)
    assert caught.value.exit_code == 6
    assert not (tmp_path / "g").exists()


def test_auto_passes_over_backends_that_take_one_frame_at_a_time(tmp_path: Path, tiny: Any, add_backend: Any) -> None:
    gpu = add_backend("gpu", "cuda")
    gpu.batches = False
    built = build_engine(tiny.path, batch=2, output=tmp_path / "e")
    assert [one.backend for one in built.candidates] == ["onnxruntime"]
    assert gpu.built == []
    assert len(build_engine(tiny.path, output=tmp_path / "f").candidates) == 2


def test_an_engine_is_not_replaced_by_one_of_its_own_file(tiny: TinyNetwork, tmp_path: Path) -> None:
    engine = tmp_path / "engine"
    engine.mkdir()
    (engine / "engine.json").touch()
    shutil.copy(tiny.path, engine / "model.onnx")
    (tmp_path / "link.onnx").symlink_to("engine/model.onnx")
    for model in (engine / "model.onnx", tmp_path / "link.onnx"):
        with pytest.raises(UsageError, match=r"lies in the engine .* which would be replaced"):
            build_module.build_engine(model, BuildRequest(backend="onnxruntime"), output=engine)
    assert (engine / "model.onnx").read_bytes() == tiny.path.read_bytes()
