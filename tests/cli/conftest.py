"""The command line in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner

from fcn_edge.cli.main import main


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output; anything else there is an error."""
        result = json.loads(self.out)
        assert isinstance(result, dict)
        return result


@pytest.fixture
def fcn_edge() -> Callable[..., Outcome]:
    """Runs ``fcn-edge`` with arguments; what it raises beside SystemExit is a failure of the test."""

    def run(*arguments: object) -> Outcome:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.stderr
        return Outcome(result.exit_code, result.stdout, result.stderr)

    return run
