"""The folder of a what-if study: ``study.json`` and one ordinary run folder per point.

::

    STUDY/study.json                      what is studied: base scenario, variants, seeds, length, versions
    STUDY/points/<variant>/seed-<n>/      a run folder (docs/run-folder.md) without report and picture
    STUDY/points/<variant>/seed-<n>.failed.json   where a point could not be run: its message

A point is written under another name beside its own and renamed when it is whole, so that a point that is there is whole, and the
same point cannot be there twice. Nothing of a point is ever changed afterwards.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from factory.errors import UserError
from factory.run_folder import Run, write_json
from factory.study.versions import point_versions, version_difference

FORMAT = 1
BASE = "base"
"""Name of the first variant: the scenario without any change."""


class StudyFolderError(UserError):
    """A study folder cannot be made or read; the message names the folder and what would be right."""


@dataclass(frozen=True, slots=True)
class StudyVariant:
    """One variant of the base scenario.

    Attributes
    ----------
    name : letters, digits, ``.``, ``_``, ``-``; also the name of its folder.
    changes : the changes as their author wrote them (YAML or ``--set`` lines); empty for the base.
    overrides : what they come to, texts ``key=value`` (values are JSON, which is YAML) as ``factory-twin run --set`` takes them.
    """

    name: str
    changes: str = ""
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StudyContent:
    """What is studied; two folders of equal content hold the same points.

    Attributes
    ----------
    base_source : what the base was called on the command line: a shipped name, or the absolute path of its file.
    base_text : the base scenario file as it was read.
    base_sha256 : hash of that text.
    variants : the base first, then the others.
    seeds : seeds that all variants share, in the order in which they are run.
    minutes : simulated length of every point [min].
    versions : versions that decide a point's numbers.
    """

    base_source: str
    base_text: str
    base_sha256: str
    variants: tuple[StudyVariant, ...]
    seeds: tuple[int, ...]
    minutes: float
    versions: dict[str, str]

    @classmethod
    def of(
        cls, base_source: str, base_text: str, variants: Sequence[StudyVariant], seeds: Sequence[int], minutes: float
    ) -> StudyContent:
        """Return the content of a study under the present versions."""
        sha256 = hashlib.sha256(base_text.encode()).hexdigest()
        return cls(base_source, base_text, sha256, tuple(variants), tuple(seeds), float(minutes), point_versions())

    def difference(self, other: StudyContent) -> str | None:
        """Say in words where ``other`` differs, None where it holds the same points."""
        if self.base_sha256 != other.base_sha256:
            return "another base scenario"
        if self.minutes != other.minutes:
            return f"{self.minutes:g} minutes instead of {other.minutes:g}"
        if self.seeds != other.seeds:
            return f"{len(self.seeds)} seeds ({_few(self.seeds)}) instead of {len(other.seeds)} ({_few(other.seeds)})"
        mine, theirs = {v.name: v.overrides for v in self.variants}, {v.name: v.overrides for v in other.variants}
        for name in [*mine, *theirs]:
            if name not in theirs:
                return f"a variant {name!r} that is not asked for"
            if name not in mine:
                return f"no variant {name!r}"
            if mine[name] != theirs[name]:
                return f"other changes under the name {name!r}"
        versions = version_difference(other.versions, self.versions)
        if versions is not None:
            return f"points of {versions}"
        return None


class StudyFolder:
    """A study on disk.

    Parameters
    ----------
    path : the folder.
    content : what is studied.

    Attributes
    ----------
    path : the folder.
    content : what study.json holds.
    """

    def __init__(self, path: Path, content: StudyContent) -> None:
        self.path = path
        self.content = content

    @classmethod
    def open(cls, path: Path | str) -> StudyFolder:
        """Open a study folder.

        Raises
        ------
        StudyFolderError
            Where the folder is none, or was written by another format.
        """
        path = Path(path)
        file = path / "study.json"
        if not file.is_file():
            what = "holds no study.json" if path.is_dir() else "is not a folder"
            raise StudyFolderError(f"{path} {what}; give the folder that factory-twin whatif --out wrote")
        try:
            held = json.loads(file.read_text(encoding="utf-8"))
            if held["format"] != FORMAT:
                raise StudyFolderError(f"{file}: format {held['format']!r}; this version reads format {FORMAT}")
            variants = tuple(StudyVariant(v["name"], v["changes"], tuple(v["overrides"])) for v in held["variants"])
            base = held["base"]
            content = StudyContent(
                base["source"],
                base["text"],
                base["sha256"],
                variants,
                tuple(held["seeds"]),
                float(held["minutes"]),
                dict(held["versions"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StudyFolderError(f"{file}: not readable as a study ({error!r}); the study folder is damaged") from error
        return cls(path, content)

    @classmethod
    def create(cls, path: Path | str, content: StudyContent) -> StudyFolder:
        """Make a study folder, or open the one of the same content that is there.

        Raises
        ------
        StudyFolderError
            Where something else is there; it is left as it is. Where the folder cannot be made.
        """
        path = Path(path)
        if (path / "study.json").is_file():
            there = cls.open(path)
            difference = there.content.difference(content)
            if difference is not None:
                raise StudyFolderError(f"{path} holds another study: {difference}; choose another folder with --out or remove it")
            return there
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise StudyFolderError(f"{path} exists already and is no study folder; choose another folder with --out")
        try:
            path.mkdir(parents=True, exist_ok=True)
            folder = cls(path, content)
            folder._write()
        except OSError as error:
            raise StudyFolderError(f"{path} cannot be made ({error.strerror}); choose another folder with --out") from error
        return folder

    def add_variants(self, variants: Sequence[StudyVariant]) -> None:
        """Append variants to the study, for a search that finds them one by one.

        Raises
        ------
        StudyFolderError
            Where a name is taken by other overrides.
        """
        known = {v.name: v for v in self.content.variants}
        new = []
        for variant in variants:
            if variant.name in known and known[variant.name].overrides != variant.overrides:
                raise StudyFolderError(f"{self.path}: variant {variant.name!r} is there with other changes; give it another name")
            if variant.name not in known:
                new.append(variant)
                known[variant.name] = variant
        if new:
            c = self.content
            self.content = StudyContent(
                c.base_source, c.base_text, c.base_sha256, (*c.variants, *new), c.seeds, c.minutes, c.versions
            )
            self._write()

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the variants, the base first."""
        return tuple(v.name for v in self.content.variants)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds that all variants share; an early stop may leave the last ones without points."""
        return self.content.seeds

    @property
    def minutes(self) -> float:
        """Simulated length of a point [min]."""
        return self.content.minutes

    def variant(self, name: str) -> StudyVariant:
        """Return a variant by its name."""
        for variant in self.content.variants:
            if variant.name == name:
                return variant
        raise StudyFolderError(f"{self.path} has no variant {name!r}; there is {', '.join(self.variants)}")

    def point(self, variant: str, seed: int) -> Path:
        """Path of a point's run folder, whether it is there or not."""
        return self.path / "points" / variant / f"seed-{seed}"

    def done(self, variant: str, seed: int) -> bool:
        """Whether a point is there, which means: whole."""
        return (self.point(variant, seed) / "kpi.json").is_file()

    @property
    def complete_seeds(self) -> tuple[int, ...]:
        """Seeds of which all variants are there: those that pairs can be made of."""
        return tuple(s for s in self.seeds if all(self.done(v, s) for v in self.variants))

    def failure(self, variant: str, seed: int) -> str | None:
        """Message of a point that could not be run, None where it was not given up."""
        file = self._failed(variant, seed)
        return str(json.loads(file.read_text(encoding="utf-8"))["message"]) if file.is_file() else None

    def kpi(self, variant: str, seed: int) -> dict[str, Any]:
        """Figures of a point (its kpi.json).

        Raises
        ------
        StudyFolderError
            Where the point is not there.
        """
        return self.run(variant, seed).kpi

    def run(self, variant: str, seed: int) -> Run:
        """Run folder of a point, for reading.

        Raises
        ------
        StudyFolderError
            Where the point is not there.
        """
        if not self.done(variant, seed):
            raise StudyFolderError(
                f"{self.point(variant, seed)} is not there: this point was not run yet; the same whatif command goes on with it"
            )
        return Run(self.point(variant, seed))

    # --- the writing side, for the engine ---

    def fail(self, variant: str, seed: int, message: str) -> None:
        """Note that a point could not be run."""
        file = self._failed(variant, seed)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, {"variant": variant, "seed": seed, "message": message})

    def clean(self) -> None:
        """Remove what interrupted points left."""
        for left in (self.path / "points").glob("*/.seed-*.partial"):
            shutil.rmtree(left, ignore_errors=True)

    def forget_failures(self) -> None:
        """Remove the notes of points that failed, so that they are tried again."""
        for note in (self.path / "points").glob("*/seed-*.failed.json"):
            note.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the study for this process.

        Raises
        ------
        StudyFolderError
            Where another process holds it.
        """
        with (self.path / "study.lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise StudyFolderError(
                    f"{self.path}: another factory-twin is at work on this study; wait for it to end"
                ) from None
            yield

    def _failed(self, variant: str, seed: int) -> Path:
        return self.path / "points" / variant / f"seed-{seed}.failed.json"

    def _write(self) -> None:
        c = self.content
        base = {"source": c.base_source, "text": c.base_text, "sha256": c.base_sha256}
        write_json(
            self.path / "study.json",
            {
                "format": FORMAT,
                "base": base,
                "variants": [asdict(v) for v in c.variants],
                "seeds": list(c.seeds),
                "minutes": c.minutes,
                "versions": c.versions,
            },
        )


@contextmanager
def new_point(target: Path, tag: str) -> Iterator[Path]:
    """Give a folder name to write a point under, and rename it to ``target`` when the block ends well.

    Parameters
    ----------
    target : final name of the point's folder.
    tag : tells writers apart (host and process), so that two of them never write into one folder.

    Notes
    -----
    Where the block fails, what was written is removed. Where the point is there already when the block ends (a worker was given
    up that lived), this one is dropped: the first stays.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{tag}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        yield partial
        try:
            os.rename(partial, target)
        except OSError:
            if not (target / "kpi.json").is_file():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _few(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds)) if len(seeds) <= 4 else f"{seeds[0]}, {seeds[1]} ... {seeds[-1]}"
