"""Documents that age: a reader takes every schema version up to its own, and says who reads a newer one.

A kind of document is a subclass of ``Document``. Its ``MIGRATIONS`` lead from one version to the next, the first of
them from schema 1 to 2; the version that it writes is one more than it has migrations.

    class Table(Document):
        MIGRATIONS = (_to_schema_2,)                # this class describes schema 2

When a key changes its name or its meaning, or a new key decides what comes out of a model, the version rises: a
migration is added, and a sample of the old version goes to ``tests/artifacts/samples``. An optional key that older
readers may leave out needs no new version, because they do leave it out: a key that is unknown in a document of the
reader's own version is dropped when a newer fcn_edge wrote the document (``written_by``). From any other writer it is
refused: it is a slip of the pen, and what was meant would silently get its default.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from typing_extensions import Self

from fcn_edge.errors import ArtifactError
from fcn_edge.version import __version__

__all__ = ["WRITER", "Document", "Migration", "renamed"]

Migration = Callable[[dict[str, Any]], dict[str, Any]]
"""Takes the content of one schema version, without the version, and returns that of the next; changes no argument."""

VERSION, WRITER = "schema_version", "written_by"
"""Keys of every document: its schema version, and the version of fcn_edge that wrote it."""

_RELEASE = re.compile(r"(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?")


_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
"""What pydantic calls a key that is unknown: in a model, and in a dataclass."""


@dataclass(frozen=True)
class _Source:
    """What a document was read from.

    Attributes:
        name: What messages call it.
        error: What to raise when it is of a newer version.
    """

    name: str
    error: type[ArtifactError]


class Document(BaseModel):
    """Base of what is kept in files under a schema version.

    ``model_dump`` begins with ``schema_version`` and ``written_by`` (the version of fcn_edge that writes); both belong
    to the file and are no attributes, so that documents with the same content are equal whoever wrote them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    MIGRATIONS: ClassVar[tuple[Migration, ...]] = ()

    @classmethod
    def from_content(cls, content: object, name: str, error: type[ArtifactError]) -> Self:
        """The document with the content of a file, of any schema version up to this one.

        Args:
            content: JSON values; content without a ``schema_version`` is schema 1.
            name: What messages call it, such as the file's path.
            error: What to raise when a newer fcn_edge wrote it.

        Raises:
            ArtifactError: The given error, for a newer schema version.
            ValidationError: The content is not valid.
        """
        if isinstance(content, Mapping):
            content = {VERSION: 1, **content}
        return cls.model_validate(content, context=_Source(name, error))

    @model_serializer(mode="wrap")
    def _with_version(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {VERSION: len(self.MIGRATIONS) + 1, WRITER: __version__, **handler(self)}

    @model_validator(mode="wrap")
    @classmethod
    def _of_any_version(cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        if not isinstance(value, Mapping):
            return handler(value)
        content = dict(value)
        own = len(cls.MIGRATIONS) + 1
        version, writer = content.pop(VERSION, own), content.pop(WRITER, "")
        # a bool is an int to Python
        if type(version) is not int or version < 1:
            raise ValueError(f"{VERSION} must be a whole number from 1 on")
        if not isinstance(writer, str):
            raise ValueError(f"{WRITER} must be a version of fcn_edge")
        if version > own:
            raise _newer(info.context, version, own, writer)
        for migration in cls.MIGRATIONS[version - 1 :]:
            content = migration(content)
        try:
            return handler(content)
        except ValidationError as error:
            known = _without_unknown(content, error) if _release(writer) > _release(__version__) else None
            if known is None:
                raise
        return handler(known)


def renamed(content: dict[str, Any], names: Mapping[str, str], *path: str) -> dict[str, Any]:
    """A copy of a JSON object with some keys renamed, in their places.

    Args:
        content: The object. Migrations see it before it is validated: what is no object on the way stays as it is.
        names: New name by old name.
        path: Keys that lead to the object inside it whose keys they are; ``*`` is every key. None: the outermost.
    """
    if not path:
        return {names.get(key, key): value for key, value in content.items()}
    step, *rest = path
    return {
        key: renamed(value, names, *rest) if step in ("*", key) and isinstance(value, dict) else value
        for key, value in content.items()
    }


def _newer(source: Any, version: int, own: int, writer: str) -> ArtifactError:
    name, error = (source.name, source.error) if isinstance(source, _Source) else ("The document", ArtifactError)
    message = f"{name} was written by a newer fcn_edge (schema {version}); this one, {__version__}, reads up to {own}."
    if _release(writer) > _release(__version__):
        release = ".".join(map(str, _release(writer)))
        return error(message, f"Install fcn_edge {release} or newer: pip install --upgrade 'fcn_edge>={release}'")
    return error(message, "Install a newer fcn_edge: pip install --upgrade fcn_edge")


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version such as ``0.12.1``; none of a text that is no version."""
    found = _RELEASE.match(version)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def _without_unknown(content: dict[str, Any], error: ValidationError) -> dict[str, Any] | None:
    """The content without the keys that are unknown; None when that is not all that is wrong with it."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    if any(problem["type"] not in _UNKNOWN for problem in problems):
        return None
    known = copy.deepcopy(content)
    for problem in problems:
        *outer, last = problem["loc"]
        part: Any = known
        for step in outer:
            part = part[step]
        del part[last]
    return known
