"""What a training starts from: nothing, ImageNet weights, a checkpoint, or the mean of several checkpoints.

Networks that were trained from the same weights with other settings often lie in one valley of the loss. The mean of
their weights can then transfer better than each of them, at the cost of one (Wortsman et al. 2022, "Model soups:
averaging weights of multiple fine-tuned models improves accuracy without increasing inference time").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from fcn_edge.artifacts.checkpoint import checkpoint_header
from fcn_edge.artifacts.spec import ModelSpec, Provenance
from fcn_edge.errors import CheckpointError, SpecError
from fcn_edge.nets.checkpoints import load_checkpoint, load_encoder
from fcn_edge.nets.fcn import FCN

__all__ = ["Start", "mean_of_checkpoints"]

_SAME = {"encoder": "encoders", "decoder": "decoders", "classes": "classes", "normalization": "normalizations"}
"""Fields of the specs of checkpoints that have a mean, and their plurals."""


@dataclass(frozen=True)
class Start:
    """The weights that a training starts from.

    Attributes:
        files: Empty for a training from scratch; one file of ImageNet weights or one checkpoint; or several
            checkpoints, of which the mean is taken.
    """

    files: tuple[Path, ...] = ()

    @staticmethod
    def of(init: Path | Sequence[Path] | None) -> Start:
        """The start from one file, from several, or from none."""
        if init is None:
            return Start()
        return Start((init,) if isinstance(init, Path) else tuple(init))

    def fill(self, net: FCN, tell: Callable[[str], None] = lambda _: None) -> None:
        """Give a network these weights; one from scratch keeps its own.

        Args:
            net: Changed in place.
            tell: Called with a sentence for each thing that its user should know.

        Raises:
            CheckpointError: A file is missing or damaged, does not fit the network, or is no checkpoint where there
                are several; or several are of different networks.
            SpecError: A checkpoint's spec is not valid.
            UsageError: The checkpoints are of another encoder or have another number of classes.
        """
        if not self.files:
            return
        try:
            weights, spec = mean_of_checkpoints(self.files)
        except CheckpointError:
            if len(self.files) > 1:
                raise
            notes: list[str] = []
            load_encoder(net.encoder, self.files[0], notes.append)
            for note in (f"encoder weights from {self.files[0]}", *notes):
                tell(note)
            return
        new = net.start_from(weights)
        count = len(self.files)
        where = str(self.files[0]) if count == 1 else f"the mean of {count} checkpoints"
        tell(f"{spec.arch} weights from {where}; {len(new)} tensors are new")

    def provenance(self) -> Provenance:
        """Where the weights come from, as their checkpoints say; empty for those of an encoder alone.

        Of several, each line of a recipe says which of them it is of.
        """
        found = [spec.provenance for spec in map(_spec_of, self.files) if spec is not None]
        lines = [line for origin in found for line in origin.recipe]
        if len(found) > 1:
            lines = [f"mean of {len(found)} checkpoints"]
            for number, origin in enumerate(found, 1):
                lines += [f"{number} of {len(found)}: {line}" for line in origin.recipe]
        names = dict.fromkeys(name for origin in found for name in origin.trained_on)
        return Provenance(trained_on=tuple(names), recipe=tuple(lines))


def _spec_of(path: Path) -> ModelSpec | None:
    """What a checkpoint says of itself; None for weights of an encoder alone."""
    try:
        return checkpoint_header(path).spec
    except (CheckpointError, SpecError):
        return None


def mean_of_checkpoints(paths: Sequence[Path]) -> tuple[dict[str, Tensor], ModelSpec]:
    """The mean of the weights and BatchNorm statistics of checkpoints, and the spec of the first.

    Args:
        paths: One or more files that ``fcn-edge train`` wrote.

    Returns:
        Keys, shapes and dtypes are those of ``FCN.state_dict()`` with the one decoder; BatchNorm's counters are rounded
        down.

    Raises:
        CheckpointError: One is missing, damaged or no checkpoint, or is of another encoder, decoder, normalization or
            other classes than the first.
        SpecError: The spec of one is not valid.
    """
    sums: dict[str, Tensor] = {}
    first: ModelSpec | None = None
    for path in paths:
        try:
            net, spec = load_checkpoint(path)
        except CheckpointError as error:
            if len(paths) == 1 or not path.is_file():
                raise
            raise CheckpointError(
                f"{path} is no checkpoint that fcn-edge train wrote, or is damaged: of several files, whose mean is "
                "taken, each must be one.",
                "Give checkpoints alone, or one file of ImageNet weights.",
            ) from error
        first = first or spec
        for what, plural in _SAME.items():
            if getattr(spec, what) != getattr(first, what):
                raise CheckpointError(
                    f"{path} and {paths[0]} have no mean: their {plural} differ.",
                    "Give checkpoints of one network that was trained several times from the same encoder weights.",
                )
        for key, value in net.state_dict().items():
            # in float64, so that their order hardly matters to float32
            sums[key] = sums[key] + value.double() if key in sums else value.double()
    assert first is not None
    types = {key: value.dtype for key, value in net.state_dict().items()}
    return {key: (value / len(paths)).to(types[key]) for key, value in sums.items()}, first
