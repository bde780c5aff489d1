"""The account of an import: what was read, repaired, ignored, assumed, and is missing. Nothing is dropped without a line."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from factory.errors import UserError

Verdict = Literal["read", "repaired", "ignored", "assumed", "missing"]
VERDICTS: tuple[Verdict, ...] = ("read", "repaired", "ignored", "assumed", "missing")
_SHOWN = 60  # characters of a value in a message


class LayoutError(UserError):
    """A layout file that cannot be used: file, place, what was found, what would be right."""

    def __init__(self, source: str, place: str, message: str) -> None:
        where = f"{source}{place}" if place.startswith(":") else ": ".join(part for part in (source, place) if part)
        super().__init__(f"{where}: {message}")


def shown(value: object) -> str:
    """Return a value for a message, cut to a few words whatever was put in (a nested bomb included)."""
    if isinstance(value, dict | list | tuple):
        return f"a {'list' if not isinstance(value, dict) else 'mapping'} of {len(value)} entries"
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the report.

    Attributes
    ----------
    verdict : read, repaired, ignored, assumed or missing.
    place : line, entity, handle or path inside the file; empty for the file as a whole.
    message : what was found and what was done.
    """

    verdict: Verdict
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.verdict}: {self.place}: {self.message}" if self.place else f"{self.verdict}: {self.message}"


@dataclass(slots=True)
class Report:
    """The notes of one import, in the order in which they arose.

    Attributes
    ----------
    source : file as the user named it.
    kind : lif, opentcs, rmf, ros, dxf or csv.
    notes : the lines.
    counts : how many nodes, edges, boxes, ... the scenario got.
    """

    source: str
    kind: str
    notes: list[Note] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def read(self, place: str, message: str) -> None:
        """Tell what was read."""
        self.notes.append(Note("read", place, message))

    def repaired(self, place: str, message: str) -> None:
        """Tell what was wrong and how it is understood."""
        self.notes.append(Note("repaired", place, message))

    def ignored(self, place: str, message: str) -> None:
        """Tell what the twin has no place for."""
        self.notes.append(Note("ignored", place, message))

    def assumed(self, place: str, message: str) -> None:
        """Tell what the file does not say and was filled in."""
        self.notes.append(Note("assumed", place, message))

    def missing(self, place: str, message: str) -> None:
        """Tell what the file does not say and somebody has to."""
        self.notes.append(Note("missing", place, message))

    def error(self, place: str, message: str) -> LayoutError:
        """Return the error that ends the import; ``place`` may be ``:line:column``."""
        return LayoutError(self.source, place, message)

    def of(self, verdict: Verdict) -> list[Note]:
        """Return the notes of one verdict."""
        return [note for note in self.notes if note.verdict == verdict]

    def number(self) -> dict[str, int]:
        """Count the notes by verdict."""
        found = Counter(note.verdict for note in self.notes)
        return {verdict: found[verdict] for verdict in VERDICTS}

    def text(self) -> str:
        """Return the report as lines for a terminal."""
        lines = [f"{self.source} ({self.kind}): " + ", ".join(f"{n} {what}" for what, n in self.counts.items())]
        for verdict in VERDICTS:
            notes = self.of(verdict)
            if notes:
                lines.append(f"{verdict} ({len(notes)})")
                lines += [f"  {note.place}: {note.message}" if note.place else f"  {note.message}" for note in notes]
        return "\n".join(lines)

    def as_json(self) -> str:
        """Return the report as JSON: source, kind, counts, notes by verdict."""
        content: dict[str, Any] = {
            "source": self.source,
            "kind": self.kind,
            "counts": self.counts,
            "notes_by_verdict": self.number(),
        }
        content["notes"] = [asdict(note) for note in self.notes]
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
