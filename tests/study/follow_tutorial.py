"""Follow the tutorial: run the commands of a Markdown page and hold what they print against what the page says they print.

    .venv/bin/python tests/study/follow_tutorial.py docs/tutorial.md [--folder EMPTY_FOLDER] [--quick]

A block opened by ```sh is run by bash in one folder, in the order of the page; a block opened by ```text that follows it tells
its output. Lines of such a block must be in the output, in their order; ``...`` stands for any number of others. The word
``slow`` after either leaves the block out with ``--quick``, the word ``install`` always.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOOL = ".venv/bin/factory-twin"
_FENCE = re.compile(r"^```(sh|text)\b([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """A block of commands, the lines that its output must have, and the line of the page where it stands."""

    commands: str
    expected: tuple[str, ...]
    slow: bool
    line: int


def steps(page: str) -> list[Step]:
    """Return the steps of a page; a block of output belongs to the commands before it."""
    found: list[Step] = []
    for block in _FENCE.finditer(page):
        kind, words, body = block[1], block[2].split(), block[3]
        line = page[: block.start()].count("\n") + 1
        if "install" in words:
            continue
        if kind == "sh":
            found.append(Step(body, (), "slow" in words, line))
        else:
            lines = tuple(s for s in map(str.rstrip, body.splitlines()) if s and s != "...")
            last = found[-1]
            if last.expected or ("slow" in words) != last.slow:
                raise ValueError(f"line {line}: output without commands of its own")
            found[-1] = Step(last.commands, lines, last.slow, last.line)
    return found


def missing(expected: tuple[str, ...], output: str) -> str | None:
    """Return the first line that the output does not have after those before it, None where it has all."""
    lines = iter(map(str.rstrip, output.splitlines()))
    return next((want for want in expected if not any(line == want for line in lines)), None)


def follow(page: Path, folder: Path, quick: bool, environment: dict[str, str]) -> list[str]:
    """Run the steps of a page in a folder.

    Returns
    -------
    What did not come out as the page says, one text per step.
    """
    tool = f"{shlex.quote(sys.executable)} -m factory.cli"
    wrong = []
    for step in steps(page.read_text(encoding="utf-8")):
        if quick and step.slow:
            continue
        print(f"{page.name}, line {step.line}", flush=True)
        commands = step.commands.replace(TOOL, tool)
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", commands],
            cwd=folder,
            env={**environment, "COLUMNS": "80", "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        lacking = missing(step.expected, done.stdout)
        if done.returncode != 0:
            wrong.append(f"line {step.line}: exit code {done.returncode}\n{done.stdout}")
            break  # what follows needs what this step makes
        if lacking is not None:
            wrong.append(f"line {step.line}: the page says\n  {lacking}\nbut it printed\n{done.stdout}")
    return wrong


def main() -> int:
    """Follow a page as the command line asks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder when absent")
    parser.add_argument("--quick", action="store_true", help="leave out what the page marks as slow")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        wrong = follow(asked.page, folder, asked.quick, dict(os.environ))
    print("\n".join(wrong) or "everything as the page says")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
