"""The error a person at the keyboard reads: where, what was found, what would be right."""

from __future__ import annotations

from dataclasses import dataclass


class UserError(Exception):
    """Input that cannot be used. The command line prints it and exits with code 2, without a traceback."""


@dataclass(frozen=True)
class Problem:
    """One fault in a scenario.

    Attributes
    ----------
    source : file, or the ``--set`` option that holds the fault.
    line, column : 1-based place in the file, 0 where there is none.
    key : path of the key, for example ``radio.trps[1].position_m``.
    message : what was found and what would be right.
    """

    source: str
    line: int
    column: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}:{self.column}" if self.line else self.source
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ScenarioError(UserError):
    """One or more faults in a scenario file."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(p) for p in problems))
