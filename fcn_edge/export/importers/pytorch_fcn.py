"""Networks of Long, Shelhamer and Darrell in PyTorch: https://github.com/wkentaro/pytorch-fcn.

Checkpoints hold ``conv1_1.weight`` and so on, beside them what its trainer writes: ``{epoch, iteration, arch,
optim_state_dict, model_state_dict, best_mean_iu}`` (``torchfcn/trainer.py``). MD5 sums of the released files are those
of ``torchfcn/models/*.py``, version 1.9.7.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from fcn_edge.errors import CheckpointError, UsageError
from fcn_edge.export.importers.base import Family, ImportOptions
from fcn_edge.export.importers.vgg_fcn_layout import (
    AT_ONCE,
    CLASS_NAMES,
    SIGNATURE,
    decoder_of,
    network_of,
    wanted_arch,
)
from fcn_edge.export.torch_network import TorchNetwork

if TYPE_CHECKING:
    from fcn_edge.artifacts.weights import Weights

__all__ = ["FAMILY"]

MD5 = {
    "d3eb467a80e7da0468a20dfcbc13e6c8": "fcn32s",
    "a2d4035f669f09483b39c9a14a0d6670": "fcn16s",
    "de93e540ec79512f8770033849c8ae89": "fcn8s",
    "bfed4437e941fef58932891217fe6464": "fcn8s-atonce",
}
BY_NAME = {"atonce": "fcn8s-atonce", "at-once": "fcn8s-atonce", "at_once": "fcn8s-atonce", "fcn8s_from_caffe": "fcn8s"}
"""Parts of file names that tell the two networks apart, the first that fits; the last is the released file's."""


def network(weights: Weights, options: ImportOptions) -> TorchNetwork:
    """The network of a checkpoint of pytorch-fcn.

    Raises:
        CheckpointError: Its tensors are not those of the network.
        UsageError: It may be FCN8s or FCN8sAtOnce and nothing says which, or an option does not fit it.
    """
    decoder = decoder_of(weights)
    which, notes = _variant(weights, decoder, options)
    scales = AT_ONCE if which == "fcn8s-atonce" else {}
    return network_of(weights, options, family=FAMILY.name, about=FAMILY.about, which=which, scales=scales, notes=notes)


FAMILY = Family("pytorch-fcn", "an FCN on VGG-16 of wkentaro/pytorch-fcn", SIGNATURE, network)


def _variant(weights: Weights, decoder: str, options: ImportOptions) -> tuple[str, tuple[str, ...]]:
    """Which of the authors' networks it is, and what to say of how that was told."""
    allowed = ("fcn8s", "fcn8s-atonce") if decoder == "fcn8s" else (decoder,)
    wanted = wanted_arch(options)
    said = [weights.fields.get("arch"), str(weights.fields.get("class")).rpartition(".")[2]] if weights.wrapper else []
    known = next((CLASS_NAMES[str(name)] for name in said if str(name) in CLASS_NAMES), None)
    if known is None:
        known = decoder if len(allowed) == 1 else MD5.get(_md5(weights.path))
    if known is not None:
        if known not in allowed:
            raise CheckpointError(
                f"{weights.path} says that it is {known}, and holds the layers of {decoder}.", "Save it again."
            )
        if wanted not in (None, known):
            raise UsageError(f"{weights.path} is {known}, not {options.arch}.", "Leave out --arch.")
        return known, ()
    if wanted is not None:
        if wanted not in allowed:
            raise UsageError(f"{weights.path} is not {options.arch}.", f"It may be one of: {', '.join(allowed)}.")
        return wanted, ()
    name = weights.path.name.lower()
    by_name = next((which for part, which in BY_NAME.items() if part in name), None)
    if by_name is not None:
        return by_name, (f"Taken for {by_name} by its file's name; --arch says it otherwise.",)
    asked = "" if options.decoder is None else " --decoder does not tell them apart, --arch does."
    raise UsageError(
        f"{weights.path} holds the layers of FCN8s and of FCN8sAtOnce, which differ only in how they weigh pool4 and "
        f"pool3.{asked}",
        "Give --arch fcn8s for a network that was trained in stages (32s, 16s, 8s), or --arch fcn8s-atonce for one "
        "that was trained at once and multiplies pool4 by 0.01 and pool3 by 0.0001; with the wrong one, its skips "
        "weigh 100 and 10,000 times too much or too little.",
    )


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
