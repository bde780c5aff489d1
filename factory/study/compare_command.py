"""``factory-twin compare``: two or more run folders, or a what-if study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from factory.study.compare import CompareError, Material, compare, load_runs, load_study
from factory.study.compare_table import text, write_tables


def compare_command(
    paths: Sequence[Path], kpi: str | None, policy: str | None, out: Path | None, console: Console, against: str | None = None
) -> int:
    """Compare runs or the variants of a study, write compare.html, compare.csv and compare.parquet, and print the answer.

    Parameters
    ----------
    paths : one study folder, or two or more run folders, the first of which the others are compared with.
    kpi : key of the measure that the answer rests on.
    policy : whose services and resources; the acting policy of each run when absent.
    out : folder for the files; the study folder itself, and ``compare`` for runs, when absent.
    console : where the table goes.
    against : the variant of a study that the others are compared with; its scenario without changes when absent.

    Returns
    -------
    0.

    Raises
    ------
    UserError
        For folders that cannot be compared; nothing is written then.
    """
    material = load(paths, policy, against)
    result = compare(material, kpi)
    if out is None:
        out = paths[0] if material.paired else Path("compare")
    if out.exists() and not out.is_dir():
        raise CompareError(f"--out {out}: that is a file; give a folder")
    from factory.study.report import build_comparison  # matplotlib is loaded where something is drawn

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CompareError(f"--out {out}: cannot be made ({error.strerror}); give another folder") from None
    page = build_comparison(result, out, policy)
    csv, parquet = write_tables(result, out)
    print(text(result), file=console.file)
    console.print(f"Report: {page}\nTables: {csv}, {parquet.name}", soft_wrap=True, highlight=False)
    return 0


def load(paths: Sequence[Path], policy: str | None, against: str | None = None) -> Material:
    """Read what the paths name: a study where there is one alone that holds study.json, single runs otherwise."""
    if len(paths) == 1 and not (paths[0] / "run.json").is_file():
        return load_study(paths[0], policy, against)
    if against is not None:
        raise CompareError(f"--against {against}: names a variant of a study; of runs the first is the one compared with")
    return load_runs(paths, policy)
