"""Files that name other files and addresses in place of holding pictures."""

from __future__ import annotations

import re
from pathlib import Path

from fcn_edge.errors import SourceError

__all__ = ["refuse_playlist"]

_BEGINNINGS = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:#EXTM3U|ffconcat|<\?xml|<MPD|<smil|<asx|\[playlist\]|\[Reference\]|v=0\r?\n)",
    re.IGNORECASE,
)


def refuse_playlist(path: Path) -> None:
    """Say so where a file is a playlist (HLS, DASH, concat, SDP, IMF).

    Whoever wrote one chooses what is opened. This is for the message: what FFmpeg may open is limited besides.

    Raises:
        SourceError: It is one, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(256)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.", "Check its permissions.") from error
    if _BEGINNINGS.match(beginning):
        raise SourceError(
            f"{path} is a playlist, which names other files or addresses: those are not opened from a file.",
            "Give the video that it names. A playlist is opened by its http:// or https:// address.",
        )
