"""The token that opens the live page: read from a file or the environment, and never shown."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from fcn_edge.errors import UsageError
from fcn_edge.io.files import opened_now
from fcn_edge.text import command_line

__all__ = ["TOKEN_VARIABLE", "read_token"]

TOKEN_VARIABLE = "FCN_EDGE_TOKEN"
SHORTEST, LONGEST = 16, 512
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH | stat.S_IWGRP | stat.S_IWOTH
_MAKE = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"


def read_token(file: Path | None, environment: Mapping[str, str]) -> str | None:
    """The token that a file or the environment's ``FCN_EDGE_TOKEN`` holds; the file comes first.

    Returns:
        None where neither is given.

    Raises:
        UsageError: The file cannot be read, or others may read it; or what it holds is no good token.
    """
    if file is not None:
        make = f"Make a good one: (umask 077; {_MAKE} > {command_line(file)})"
        return _checked(_text_of(file, make), f"The token file {file}", make)
    if TOKEN_VARIABLE in environment:
        make = f'Make a good one: export {TOKEN_VARIABLE}="$({_MAKE})"'
        return _checked(environment[TOKEN_VARIABLE], f"The environment variable {TOKEN_VARIABLE}", make)
    return None


def _text_of(file: Path, make: str) -> str:
    try:
        with opened_now(file) as opened:
            status = os.fstat(opened.fileno())
            # a pipe is what a shell gives for <(command)
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
                raise UsageError(f"The token file {file} is no file.", make)
            if status.st_mode & _OTHERS_READ:
                raise UsageError(
                    f"Other users of this machine may read or write the token file {file}.",
                    f"Close it to them: chmod 600 {command_line(file)}",
                )
            # what is longer is refused, and need not be read
            return opened.read(LONGEST + 3).decode("latin-1")
    except FileNotFoundError:
        raise UsageError(f"There is no token file {file}.", make) from None
    except OSError as error:
        raise UsageError(f"The token file {file} cannot be read: {error.strerror}.", make) from error


def _checked(text: str, where: str, make: str) -> str:
    """The token without the line's end; the errors tell of its kind, never of its letters."""
    token = text.removesuffix("\n").removesuffix("\r")
    if not token:
        raise UsageError(f"{where} is empty; a token of at least {SHORTEST} characters was expected.", make)
    if "\n" in token or "\r" in token:
        raise UsageError(f"{where} holds several lines; one token alone was expected.", make)
    if len(token) > LONGEST:
        raise UsageError(f"{where} holds more than {LONGEST} characters, which no form or header needs.", make)
    # it travels in a header, where spaces are cut off and other letters have no one encoding
    if not all("!" <= letter <= "~" for letter in token):
        raise UsageError(
            f"{where} holds spaces or letters outside ASCII; letters, digits and signs were expected.", make
        )
    if len(token) < SHORTEST:
        raise UsageError(f"{where} holds fewer than {SHORTEST} characters, which can be guessed.", make)
    return token
