"""A fully convolutional network: one encoder, one decoder or several on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from torch import Tensor, nn

from fcn_edge.errors import UsageError
from fcn_edge.nets.decoders import Decoder, decoder
from fcn_edge.nets.encoders import encoder

__all__ = ["FCN"]


class FCN(nn.Module):
    """One encoder with one or more decoders, each giving class scores at its own stride.

    Args:
        encoder_name: ``vgg16``, ``resnet50`` or ``mobilenet_v2``.
        decoder_names: One or more of ``fcn32s``, ``fcn16s``, ``fcn8s``; several share the encoder (the paper's
            all-at-once form).
        classes: How many classes to score.

    Raises:
        UsageError: An unknown name, no decoder at all, or fewer than two classes.
    """

    def __init__(self, encoder_name: str, decoder_names: Sequence[str], classes: int) -> None:
        super().__init__()
        if not decoder_names:
            raise UsageError("A network needs at least one decoder.", "Name fcn32s, fcn16s or fcn8s.")
        if classes < 2:
            raise UsageError(f"A network needs at least 2 classes, not {classes}.", "Check the class list.")
        self.encoder_name = encoder_name
        self.classes = classes
        self.encoder = encoder(encoder_name)
        self.decoders = nn.ModuleDict({name: decoder(name, self.encoder.channels, classes) for name in decoder_names})

    @property
    def decoder_names(self) -> tuple[str, ...]:
        """Names of the decoders on this encoder, in the order given."""
        return tuple(self.decoders)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Class scores by decoder name.

        Args:
            image: ``(N, 3, H, W)`` float32, RGB, normalized; H and W multiples of 32.

        Returns:
            ``(N, classes, H / stride, W / stride)`` float32 scores for every decoder.
        """
        pyramid = self.encoder(image)
        return {name: head(*pyramid) for name, head in self.decoders.items()}

    def single(self, decoder_name: str) -> FCN:
        """The network with only one of its decoders; parameters are shared, not copied.

        Raises:
            UsageError: This network has no such decoder.
        """
        if decoder_name not in self.decoders:
            raise UsageError(
                f"The network has no decoder {decoder_name!r}.",
                f"It has: {', '.join(self.decoders)}; choose one of them.",
            )
        one = FCN.__new__(FCN)
        nn.Module.__init__(one)
        one.encoder_name = self.encoder_name
        one.classes = self.classes
        one.encoder = self.encoder
        one.decoders = nn.ModuleDict({decoder_name: self.decoders[decoder_name]})
        return one

    def start_from(self, coarser: Mapping[str, Tensor]) -> list[str]:
        """Take the encoder and the score layers of a coarser network, as the paper's stages do.

        Args:
            coarser: ``state_dict`` of an ``FCN`` with the same encoder and classes and one decoder.

        Returns:
            The keys of this network that the coarser one did not fill (its new skip scores).

        Raises:
            UsageError: The coarser network does not fit.
        """
        own = self.state_dict()
        filled = set()
        for key, value in coarser.items():
            targets = [key]
            if key.startswith("decoders."):
                layer = key.split(".", 2)[2]
                targets = [f"decoders.{name}.{layer}" for name in self.decoders]
            for target in targets:
                if target in own:
                    if own[target].shape != value.shape:
                        raise UsageError(
                            f"The coarser network's {key} is {tuple(value.shape)}; {tuple(own[target].shape)} was "
                            "expected.",
                            "Start from a checkpoint with the same encoder and classes.",
                        )
                    own[target].copy_(value)
                    filled.add(target)
        missing = [key for key in own if key not in filled]
        if any(key.startswith("encoder.") for key in missing):
            raise UsageError(
                f"The coarser network lacks {len(missing)} tensors of the {self.encoder_name} encoder.",
                "Start from a checkpoint with the same encoder.",
            )
        return missing

    def stride(self, decoder_name: str) -> int:
        """The stride of a decoder's scores in input pixels."""
        return cast("Decoder", self.decoders[decoder_name]).stride
