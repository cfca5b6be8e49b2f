"""A request that is not done, and why."""

from __future__ import annotations

from fcn_edge.errors import FcnEdgeError

__all__ = ["RefusedError"]


class RefusedError(FcnEdgeError):
    """A request is not done.

    Args:
        status: Status of the answer: 400 and above.
        message: What is wrong, in a sentence.
        fix: How to do better; empty where there is no way.
    """

    def __init__(self, status: int, message: str, fix: str = "") -> None:
        super().__init__(message, fix)
        self.status = status
