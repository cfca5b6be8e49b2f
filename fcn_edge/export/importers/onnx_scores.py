"""ONNX files of others whose class scores are found: of a family that is known, or any."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from onnx import TensorProto

from fcn_edge.artifacts.label_sets import LABEL_SETS, lengthened
from fcn_edge.artifacts.names import shown
from fcn_edge.artifacts.onnx_header import SPEC_KEY, metadata_of_onnx
from fcn_edge.artifacts.spec import Normalization, Size, checked_size
from fcn_edge.errors import ModelError, UsageError
from fcn_edge.export.importers.base import ImportOptions, imported_spec, unused_note
from fcn_edge.export.importers.jetson_inference import jetson_inference_facts
from fcn_edge.export.importers.onnx_cost import check_cost
from fcn_edge.export.importers.onnx_facts import OnnxFacts
from fcn_edge.export.importers.onnx_file import ForeignOnnx, opened_foreign
from fcn_edge.export.importers.onnx_grid import Measured, measured_grid, small_size
from fcn_edge.export.importers.onnx_network import ForeignSession, OnnxNetwork
from fcn_edge.export.importers.onnx_tail import Tail, found_tail
from fcn_edge.export.importers.ultralytics import ultralytics_facts

__all__ = ["onnx_network"]

GENERIC = "onnx"

FAMILIES: tuple[Callable[[ForeignOnnx], OnnxFacts | None], ...] = (ultralytics_facts, jetson_inference_facts)
"""Each tells by a file's content whether it is of its family."""

MOST_IDLE = 4
"""Upsamplings in a row, of which all but one change no size."""


def onnx_network(path: Path, options: ImportOptions) -> OnnxNetwork:
    """The network of an ONNX file that another program wrote.

    Its graph may end in class scores, at any stride, or go on to scores or a mask of the image's size; it is cut where
    bilinear upsampling begins.

    Args:
        path: The file.
        options: What is said of it. Normalization and color order are asked for where no family tells them.

    Raises:
        ModelError: The file is missing or damaged, or gives no class scores of an image.
        CheckpointError: It scores one class only, or more than 255.
        UsageError: What is said does not fit it, or something has to be said.
    """
    for argument in ("arch", "decoder"):
        if getattr(options, argument) is not None:
            raise UsageError(f"{path} is a graph: it says what it computes.", f"Leave out --{argument}.")
    if SPEC_KEY in metadata_of_onnx(path):
        raise UsageError(f"{path} is a model of fcn_edge already.", "Use it as it is, or export its checkpoint again.")
    file = opened_foreign(path)
    facts = next((found for family in FAMILIES if (found := family(file)) is not None), None) or _generic(file)
    normalization = _normalization(file, facts, options)
    size = _size(file, facts, options)
    output = _output(file, options.output_name)
    if file.image.size is None:
        checked_size(size, facts.multiple)
    _check_what_is_folded(file, output, size, facts.multiple)
    tail, session, grid = _cut(file, output, size, facts.multiple)
    names_note = _names_note(facts, options, grid.classes)
    labels = facts.labels
    if facts.spare:
        labels = tuple(lengthened(each, grid.classes) for each in labels)
        options = replace(options, labels=options.labels and lengthened(options.labels, grid.classes))
    notes = facts.notes
    if file.widened:
        notes = (*notes, "It computes in float16. Its weights are taken as they are, and computed with in float32.")
    if tail.masks and tail.grid is None and grid.stride == 1:
        notes = (*notes, "Its last upsampling is not bilinear: it stays in the graph, which ends in full-size scores.")
    if grid.fixed is not None:
        height, width = grid.fixed
        notes = (*notes, f"It runs at no other size: the model takes images of {height}x{width} (height x width) only.")
    spec = imported_spec(
        options,
        name=facts.name,
        family=facts.family,
        encoder=facts.encoder,
        decoder=facts.decoder,
        stride=grid.stride,
        geometry=grid.geometry,
        classes=grid.classes,
        normalization=normalization,
        size=size,
        usual=labels,
        resize=facts.resize,
    )
    checked_size(spec.size, spec.geometry.size_multiple)
    check_cost(file, spec.size, output)
    notes = (*notes, *names_note)
    return OnnxNetwork(spec, file, tail, session, notes, grid.fixed or file.image.size)


def _check_what_is_folded(file: ForeignOnnx, output: str, size: Size, multiple: int) -> None:
    """Check what a session computes as soon as it is made: what no image is needed for, at any size that it takes."""
    if file.image.size is None:
        # where it was made for the size that is asked for alone, it does not fit another
        with suppress(ModelError):
            check_cost(file, small_size(multiple), output)
            return
    check_cost(file, size, output)


def _names_note(facts: OnnxFacts, options: ImportOptions, count: int) -> tuple[str, ...]:
    """What to say of classes that have no names, or whose names were guessed by their number or do not fit it."""
    given = options.labels or (facts.labels[0] if facts.labels and facts.family != GENERIC else None)
    if given is not None and facts.spare and len(given.classes) < count:
        return unused_note(given, count)
    if options.labels is not None:
        return ()
    if facts.family == GENERIC:
        taken = next((name for name, known in LABEL_SETS.items() if len(known.classes) == count), None)
        if taken is None:
            return ()
        return (f"Its {count} classes are called as those of {taken}, which has as many; --classes gives others.",)
    if given is None:
        return (facts.nameless,) if facts.nameless else ()
    if len(given.classes) == count:
        return ()
    return (f"It scores {count} classes and names {len(given.classes)}: they have numbers. Give --classes.",)


def _generic(file: ForeignOnnx) -> OnnxFacts:
    name = shown(file.path.stem) or "network"
    return OnnxFacts(name=name, family=GENERIC, encoder=name, decoder="scores", labels=tuple(LABEL_SETS.values()))


def _normalization(file: ForeignOnnx, facts: OnnxFacts, options: ImportOptions) -> Normalization:
    """The family's normalization, or that which the user has to say; ``imported_spec`` lets the user's prevail."""
    if facts.normalization is not None:
        return facts.normalization
    as_it_is = file.image.element == TensorProto.UINT8
    if as_it_is and (options.mean is not None or options.std is not None):
        raise UsageError(f"{file.path} takes uint8 images and normalizes them itself.", "Leave out --mean and --std.")
    wanted = ["color_order"] if as_it_is else ["mean", "std", "color_order"]
    missing = [f"--{name.replace('_', '-')}" for name in wanted if getattr(options, name) is None]
    if missing:
        raise UsageError(
            f"{file.path} does not say what its images are normalized with: {', '.join(missing)} had to be given.",
            "--color-order rgb or bgr, as its program feeds it."
            if as_it_is
            else "ImageNet's (torchvision, mmsegmentation): --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 "
            "--color-order rgb; PaddleSeg's: --mean 0.5 --std 0.5 --color-order rgb; colors of 0 to 1: --mean 0 "
            "--std 255; a graph that takes colors of 0 to 255: --mean 0 --std 1.",
        )
    return Normalization(mean=(0, 0, 0), std=(1, 1, 1))


def _size(file: ForeignOnnx, facts: OnnxFacts, options: ImportOptions) -> Size:
    fixed = file.image.size
    if fixed is not None and options.size not in (None, fixed):
        raise UsageError(
            f"{file.path} takes {fixed[0]}x{fixed[1]} images (height x width) only.",
            "Leave out --size, or export it at that size where it comes from.",
        )
    return fixed or options.size or facts.size


def _cut(file: ForeignOnnx, output: str, size: Size, multiple: int) -> tuple[Tail, ForeignSession, Measured]:
    """Where a graph is cut, the file that also gives the scores there, and how they lie on the image."""
    opset = next((each.version for each in file.model.opset_import if each.domain in ("", "ai.onnx")), 0)
    tail = found_tail(file.model.graph, output, opset)
    session = ForeignSession(file, tail)
    grid = measured_grid(file, tail, session, size, multiple)
    for idle in range(1, MOST_IDLE + 1):
        # an upsampling to the size that there is already, as of a mask that is brought back to the image's own size
        if tail.grid is None or not grid.full or grid.stride > 1:
            break
        deeper = found_tail(file.model.graph, output, opset, idle=idle)
        if deeper.grid is None or deeper.scores == tail.scores:
            break
        deeper_session = ForeignSession(file, deeper)
        measured = measured_grid(file, deeper, deeper_session, size, multiple)
        if not measured.full:
            break
        tail, session, grid = deeper, deeper_session, measured
    if tail.grid is not None and not grid.full:
        # what comes out of the upsampling is not of the image's size: it is no mask, but the scores themselves
        below = tail.scores
        tail = replace(tail, scores=tail.upsampled, axis=tail.upsampled_axis, grid=None)
        session = ForeignSession(file, tail)
        try:
            grid = measured_grid(file, tail, session, size, multiple)
        except ModelError as error:
            raise ModelError(error.message, f"--output-name {shown(below)} takes the scores below that.") from error
    return tail, session, grid


def _output(file: ForeignOnnx, name: str | None) -> str:
    """The tensor that a graph ends in."""
    if name is not None:
        known = {*file.outputs, *(made for node in file.model.graph.node for made in node.output if made)}
        if name not in known:
            raise UsageError(f"{file.path} computes no {shown(name)!r}.", f"Its outputs: {_listed(file.outputs)}.")
        return name
    main = [each for each in file.outputs if "aux" not in each.lower()]
    if len(main) != 1:
        raise UsageError(
            f"{file.path} has {len(file.outputs)} outputs: {_listed(file.outputs)}.",
            "Name that of the class scores or the mask with --output-name.",
        )
    return main[0]


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(map(shown, names[:8])) + (" ..." if len(names) > 8 else "")
