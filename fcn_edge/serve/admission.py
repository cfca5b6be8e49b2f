"""Which sources may be added to a run over HTTP."""

from __future__ import annotations

from collections.abc import Iterable

from fcn_edge.runtime.sources import SourceAddress
from fcn_edge.serve.refusal import Refusal
from fcn_edge.serve.source_pattern import SourcePattern
from fcn_edge.text import printable

__all__ = ["Admission"]

LONGEST = 2000
STANDARD_INPUT = frozenset({"-", "/dev/stdin"})


class Admission:
    """Takes the addresses that were given when the run began, and those that a pattern allows.

    Args:
        listed: The addresses that the run began with.
        patterns: Those of ``--allow-source`` (``source_pattern``).

    Attributes:
        listed: The addresses that may be added again, without passwords.
        patterns: The patterns.

    Raises:
        UsageError: A pattern can match nothing, or names a kind of source that patterns do not allow.
    """

    def __init__(self, listed: Iterable[SourceAddress] = (), patterns: Iterable[str] = ()) -> None:
        self._listed = {printable(one.text): one for one in listed if not _is_standard_input(one)}
        self._patterns = [SourcePattern(pattern) for pattern in patterns]
        self.listed = tuple(self._listed)
        self.patterns = tuple(pattern.text for pattern in self._patterns)

    def admitted(self, text: str) -> SourceAddress:
        """The address as it is to be connected to.

        One that was given at the start may be named without its password: it is connected to as it was given then,
        whatever stands in the place of the password.

        Args:
            text: What somebody asks for.

        Raises:
            Refusal: It may not be added, or is no address.
            UsageError: It makes no sense.
        """
        if (listed := self._listed.get(text)) is not None:
            return listed
        if not text or len(text) > LONGEST or not text.isprintable():
            raise Refusal(
                400,
                f"An address has 1 to {LONGEST} letters, and none of them is a control character.",
                "Write others as %XX.",
            )
        address = SourceAddress.of(text)
        for pattern in self._patterns:
            if (admitted := pattern.admitted(address)) is not None:
                return admitted
        if (listed := self._listed.get(printable(address.text))) is not None:
            return listed
        raise Refusal(
            403,
            f"The source {printable(address.text, 200)} is not allowed.",
            "Start the run with it, or with a pattern that it matches: --allow-source 'rtsp://10.0.0.*'.",
        )


def _is_standard_input(address: SourceAddress) -> bool:
    """What was read of it is gone."""
    return not address.scheme and address.place in STANDARD_INPUT
