"""A what-if command with a stand-in for the twin, to be started and interrupted by a test: FOLDER RUNNER SEEDS [WORKERS]."""

from __future__ import annotations

import sys
from pathlib import Path

import whatif_stub
from rich.console import Console

from factory.errors import UserError
from factory.study.whatif_command import Asked, whatif_command


def main() -> int:
    """Run the study that the arguments name."""
    folder, runner, seeds, *rest = sys.argv[1:]
    asked = Asked("hand-wave", sets=("people.stature_p95_m=1.75",), seeds=seeds, minutes=1.0, workers=2, out=Path(folder))
    if rest:
        asked = Asked("hand-wave", sets=asked.sets, seeds=seeds, minutes=1.0, cluster=rest[0], out=Path(folder))
    try:
        return whatif_command(asked, Console(), Console(stderr=True), getattr(whatif_stub, runner))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
