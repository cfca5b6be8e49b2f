"""Compiled kernels on disk: a kernel is compiled once per source, architecture and compiler."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

from fcn_edge.backends.cuda.driver import Driver
from fcn_edge.errors import FcnEdgeError
from fcn_edge.io.private import read_private, write_private

__all__ = ["cache_directory", "image_of", "keep", "kept"]

_log = logging.getLogger(__name__)

_DIGEST_BYTES = 32


def cache_directory() -> Path:
    """Where compiled kernels are kept: ``kernels`` in ``$FCN_EDGE_CACHE``, or in ``fcn_edge`` of the user's cache.

    Raises:
        RuntimeError: The user has no home directory.
    """
    own = os.environ.get("FCN_EDGE_CACHE")
    if own:
        return Path(own) / "kernels"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fcn_edge" / "kernels"


def image_of(driver: Driver, source: str, name: str, directory: Path | None = None) -> bytes:
    """The code of a CUDA source for a driver's GPU, compiled when the cache does not hold it.

    A cache that cannot be written costs time at the next start, and nothing else.

    Args:
        driver: Compiles, and says for which architecture and with what.
        source: CUDA source of the whole file.
        name: Name of the file, for messages.
        directory: The cache; ``cache_directory()`` when left out.

    Raises:
        MachineError: There is no compiler, or it refuses the source.
    """
    key = hashlib.sha256("\0".join((source, driver.facts.arch, driver.compiler)).encode()).hexdigest()
    if directory is None:
        try:
            directory = cache_directory()
        except RuntimeError:
            return driver.compile(source, name)
    path = directory / f"{Path(name).stem}-{driver.facts.arch}-{key}.bin"
    image = kept(path)
    if image is None:
        image = driver.compile(source, name)
        keep(path, image)
    return image


def kept(path: Path) -> bytes | None:
    """What a file of the cache holds, as ``keep`` wrote it; None when it is not there, damaged, or not this user's."""
    content = read_private(path)
    if content is None:
        return None
    digest, image = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return image if hashlib.sha256(image).digest() == digest else None


def keep(path: Path, image: bytes) -> None:
    """Write a file of the cache, with its hash; where that may not be written it is lost."""
    try:
        write_private(path, hashlib.sha256(image).digest() + image)
    except (OSError, FcnEdgeError) as error:
        _log.info("Compiled kernels cannot be kept: %s", error)
