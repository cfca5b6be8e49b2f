"""Compiled kernels on disk: a kernel is compiled once per source, architecture and CUDA version of the driver."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

from fcn_edge.backends.cuda.driver import Driver, GpuFacts
from fcn_edge.backends.cuda.errors import RefusedCodeError
from fcn_edge.errors import FcnEdgeError
from fcn_edge.io.private import read_private, write_private

__all__ = ["cache_directory", "keep", "kept", "module_of"]

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


def module_of(driver: Driver, source: str, name: str, directory: Path | None = None) -> int:
    """The loaded module of a CUDA source, compiled when the cache does not hold it.

    A cached kernel is found without its compiler, which is large to load and need not be installed any more. Every
    provider finds it: what they compile is the same. A file that the driver refuses is compiled again and replaced. A
    cache that cannot be written costs time at the next start, and nothing else.

    Args:
        driver: Compiles and loads, and says for which architecture and driver; the GPU is current.
        source: CUDA source of the whole file.
        name: Name of the file, for messages.
        directory: The cache; ``cache_directory()`` when left out.

    Raises:
        RefusedCodeError: The driver does not take what was compiled just now.
        MachineError: There is no compiler, or it refuses the source, or the GPU fails.
    """
    path = _file_of(driver.facts, source, name, directory)
    image = None if path is None else kept(path)
    if image is not None:
        try:
            return driver.module_load(image)
        except RefusedCodeError as error:  # as after a change of the driver that its version does not show
            _log.info("%s is compiled again: %s", name, error.message)
    image = driver.compile(source, name)
    module = driver.module_load(image)
    if path is not None:  # only what the driver takes is kept
        keep(path, image)
    return module


def _file_of(facts: GpuFacts, source: str, name: str, directory: Path | None) -> Path | None:
    """Where a kernel is kept: by its source, the GPU's architecture and the driver's CUDA; None without a home."""
    if directory is None:
        try:
            directory = cache_directory()
        except RuntimeError:
            return None
    cuda = "{}.{}".format(*facts.driver)
    key = hashlib.sha256("\0".join((source, facts.arch, cuda)).encode()).hexdigest()
    return directory / f"{Path(name).stem}-{facts.arch}-{key}.bin"


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
