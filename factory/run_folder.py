"""The folder that one run leaves behind: made here, read here, nothing else knows its file names.

The layout is described for readers of the data in ``docs/run-folder.md``. Every file is written under a temporary name and then
renamed, so a file that is there is whole; a run that was broken off keeps each minute that was finished before.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import platform
import shutil
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from factory.errors import UserError
from factory.record_columns import EVENT_TYPES, PEOPLE_TYPES, STOP_TYPES, TICK_TYPES

FORMAT = 1
COLUMNS = {"ticks": TICK_TYPES, "events": EVENT_TYPES, "people": PEOPLE_TYPES, "stops": STOP_TYPES}
STATES = ("running", "finished", "interrupted")
MINUTE_US = 60_000_000
_PACKAGES = ("numpy", "numba", "pybullet", "factory-twin")


class RunFolderError(UserError):
    """A run folder cannot be made or read; the message names the folder and what would be right."""


def current_versions() -> dict[str, str]:
    """Return the versions that decide a run's numbers: python, numpy, numba, pybullet, factory-twin."""
    versions = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def write_bytes(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` so that the file is either absent, old or whole."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def _plain(value: Any) -> Any:
    """Turn NumPy values into JSON's own, and NaN and infinity, which JSON does not know, into null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file whose bytes depend on its content only: keys sorted, indent 1, no NaN (it becomes null)."""
    text = json.dumps(_plain(content), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(path, (text + "\n").encode())


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write one Parquet file (zstd) in one row group, under a temporary name first."""
    temporary = path.with_name(path.name + ".tmp")
    pq.write_table(table, temporary, compression="zstd", row_group_size=max(table.num_rows, 1))
    os.replace(temporary, path)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path}: not readable as JSON ({error}); the run folder is damaged") from error
    if not isinstance(content, dict):
        raise RunFolderError(f"{path}: holds a {type(content).__name__}, a JSON object is expected; the run folder is damaged")
    return content


class RunFolder:
    """The writing side of a run folder.

    Parameters
    ----------
    path : the folder, which exists (see `create`).

    Attributes
    ----------
    path : the folder.
    info : what run.json holds at present.
    """

    def __init__(self, path: Path, info: dict[str, Any]) -> None:
        self.path = path
        self.info = info

    @classmethod
    def create(
        cls,
        path: Path,
        scenario_text: str,
        scenario_dict: Mapping[str, Any],
        seed: int,
        versions: Mapping[str, str] | None = None,
    ) -> RunFolder:
        """Make a new run folder with its run.json in state "running".

        Parameters
        ----------
        path : folder to make; its parents are made as well.
        scenario_text : the scenario file as it was read.
        scenario_dict : the scenario after defaults and overrides, as JSON values.
        seed : seed of the run.
        versions : name to version; `current_versions` when absent.

        Raises
        ------
        RunFolderError
            When something of that name exists already.
        """
        path = Path(path)
        if path.exists():
            raise RunFolderError(f"{path} exists already; choose another folder with --out or remove it")
        try:
            path.mkdir(parents=True)
        except OSError as error:
            raise RunFolderError(f"{path} cannot be made ({error.strerror}); choose another folder with --out") from error
        info: dict[str, Any] = {
            "format": FORMAT,
            "state": "running",
            "scenario": _plain(scenario_dict),
            "scenario_text": scenario_text,
            "scenario_sha256": hashlib.sha256(scenario_text.encode()).hexdigest(),
            "seed": int(seed),
            "versions": dict(versions if versions is not None else current_versions()),
            "started_utc": datetime.now(UTC).isoformat(timespec="seconds"),
            "simulated_s": None,
            "wall_s": None,
            "real_time_factor": None,
        }
        folder = cls(path, info)
        folder.update()
        return folder

    def update(self, **changes: Any) -> None:
        """Change fields of run.json and write it."""
        self.info.update(changes)
        write_json(self.path / "run.json", self.info)

    def end(self, state: str, simulated_s: float, wall_s: float | None) -> None:
        """Set the final state.

        Parameters
        ----------
        state : "finished" or "interrupted".
        simulated_s : simulated time that was reached [s].
        wall_s : time it took on the wall clock [s], None where it was not taken.
        """
        if state not in STATES[1:]:
            raise ValueError(f"a run ends {' or '.join(STATES[1:])}, not {state!r}")
        factor = simulated_s / wall_s if wall_s else None
        self.update(state=state, simulated_s=simulated_s, wall_s=wall_s, real_time_factor=factor)

    def write_kpi(self, kpi: Mapping[str, Any]) -> None:
        """Write kpi.json; NaN and infinity become null, and the reader shows why from the field beside it."""
        write_json(self.path / "kpi.json", kpi)

    def write_blocked_paths(self, cases: Sequence[Mapping[str, Any]], links: Sequence[Mapping[str, Any]] = ()) -> None:
        """Write blocked_paths.json: the geometry behind losses by a body, and the paths of links that lost messages.

        See :mod:`factory.blocked_paths`.
        """
        write_json(self.path / "blocked_paths.json", {"cases": list(cases), "links": list(links)})

    def write_scene(self, picture: npt.NDArray[np.uint8]) -> None:
        """Write scene.png from an (h, w, 3) array of red, green and blue."""
        from PIL import Image  # a dependency of matplotlib; read here only, so that a run without pictures does not load it

        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(picture)).save(buffer, format="PNG", optimize=True)
        write_bytes(self.path / "scene.png", buffer.getvalue())


class Run:
    """The reading side of a run folder.

    Parameters
    ----------
    path : the run folder.

    Raises
    ------
    RunFolderError
        When the folder does not exist or is not a run folder.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise RunFolderError(f"{self.path} is not a folder; give the folder that a run wrote (the one with run.json in it)")
        if not (self.path / "run.json").is_file():
            raise RunFolderError(
                f"{self.path} holds no run.json, so it is no run folder; give the folder named by --out of a run"
            )
        self._info = _read_json(self.path / "run.json")
        if self._info.get("format") != FORMAT or self._info.get("state") not in STATES:
            raise RunFolderError(
                f"{self.path / 'run.json'}: format {self._info.get('format')!r}, state {self._info.get('state')!r}; "
                f"this version reads format {FORMAT} with state {', '.join(STATES)}; read it with the version that wrote it"
            )

    @property
    def info(self) -> dict[str, Any]:
        """What run.json holds."""
        return self._info

    @property
    def finished(self) -> bool:
        """True when the run came to its planned end."""
        return bool(self._info["state"] == "finished")

    @property
    def has_kpi(self) -> bool:
        """True when the run wrote its figures."""
        return (self.path / "kpi.json").is_file()

    @property
    def kpi(self) -> dict[str, Any]:
        """What kpi.json holds.

        Raises
        ------
        RunFolderError
            When the run ended before it wrote its figures.
        """
        if not self.has_kpi:
            raise RunFolderError(
                f"{self.path} holds no kpi.json: the run is {self._info['state']} and its figures are written at the end; "
                "ticks and events of its finished minutes can be read"
            )
        return _read_json(self.path / "kpi.json")

    @property
    def kept_s(self) -> float:
        """Simulated time that is in the folder [s]."""
        if self._info.get("simulated_s") is not None:
            return float(self._info["simulated_s"])
        return 60.0 * len(self._parts("ticks"))

    def ticks(
        self,
        columns: Sequence[str] | None = None,
        *,
        start_us: int = 0,
        end_us: int | None = None,
    ) -> pd.DataFrame:
        """Read the recorded state of the devices.

        Parameters
        ----------
        columns : columns wanted, all when absent; docs/run-folder.md lists them.
        start_us, end_us : first instant, and the instant after the last, wanted [us]; only the minutes needed are read.

        Returns
        -------
        One row per device and recorded instant, in order of time; names are categories.
        """
        last = None if end_us is None else (end_us - 1) // MINUTE_US
        parts = [p for p in self._parts("ticks") if _number(p) >= start_us // MINUTE_US and (last is None or _number(p) <= last)]
        wanted = None if columns is None else list(dict.fromkeys([*columns, "time_us"]))
        frame = self._frame(parts, wanted, "ticks")
        if frame.empty:
            return frame
        inside = frame["time_us"] >= start_us
        if end_us is not None:
            inside &= frame["time_us"] < end_us
        return frame.loc[inside, list(columns) if columns is not None else list(frame.columns)].reset_index(drop=True)

    def events(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read the events in order of time; of a run that was broken off, those of its finished minutes."""
        whole = self.path / "events.parquet"
        parts = [whole] if whole.is_file() else self._parts("events")
        wanted = None if columns is None else list(dict.fromkeys([*columns, "time_us"]))
        frame = self._frame(parts, wanted, "events")
        if frame.empty:
            return frame
        frame = frame.sort_values("time_us", kind="stable", ignore_index=True)
        return frame if columns is None else frame[list(columns)]

    def stops(self) -> pd.DataFrame:
        """Read the stops of the machines in order of their start; of a run that was broken off, those that had ended."""
        whole = self.path / "stops.parquet"
        frame = self._frame([whole] if whole.is_file() else self._parts("stops"), None, "stops")
        return frame.sort_values("start_us", kind="stable", ignore_index=True)

    def people(self) -> pd.DataFrame:
        """Read the tracks of people (time_us, person, x_m, y_m), which exist only where the scenario asked for them.

        Raises
        ------
        RunFolderError
            When the run kept none.
        """
        parts = self._parts("people")
        if not parts:
            raise RunFolderError(
                f"{self.path} holds no tracks of people: they are kept only when the scenario says "
                "recording.people_tracks: true, and only for recording.people_tracks_days"
            )
        return self._frame(parts, None, "people")

    def grids(self) -> dict[str, npt.NDArray[np.float64]]:
        """Read the floor grids, each (ceil(width), ceil(length)) [y, x] in cells of ``cell_m``; empty where none was written."""
        path = self.path / "grids.npz"
        if not path.is_file():
            return {}
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    def blocked_paths(self) -> list[dict[str, Any]]:
        """Read the cases of blocked paths, in order of time; none where the run wrote no such file."""
        path = self.path / "blocked_paths.json"
        return list(_read_json(path)["cases"]) if path.is_file() else []

    def lost_links(self) -> list[dict[str, Any]]:
        """Read the links that lost messages with their paths, in order of time; none where the run did not keep them."""
        path = self.path / "blocked_paths.json"
        return list(_read_json(path).get("links", ())) if path.is_file() else []

    def scene_png(self) -> bytes | None:
        """Return the picture of the scene, None where none was taken."""
        path = self.path / "scene.png"
        return path.read_bytes() if path.is_file() else None

    def _parts(self, kind: str) -> list[Path]:
        return sorted((self.path / kind).glob("part-*.parquet"))

    def _frame(self, parts: Iterable[Path], columns: list[str] | None, kind: str) -> pd.DataFrame:
        tables = []
        for part in parts:
            known = pq.read_schema(part).names
            unknown = [c for c in columns or () if c not in known]
            if unknown:
                raise RunFolderError(f"{part}: no column {unknown[0]!r}; {kind} have {', '.join(known)}")
            tables.append(pq.read_table(part, columns=columns))
        if not tables:
            return pd.DataFrame(columns=columns if columns is not None else list(COLUMNS[kind]))
        frame: pd.DataFrame = pa.concat_tables(tables).unify_dictionaries().to_pandas()
        return frame


def _number(part: Path) -> int:
    return int(part.stem.removeprefix("part-"))


def forget_people(path: Path, now_utc: datetime) -> bool:
    """Remove the tracks of people from a run folder once their time is over.

    Parameters
    ----------
    path : the run folder.
    now_utc : the present, with its time zone.

    Returns
    -------
    True when tracks were there, overdue, and are gone now.
    """
    run = Run(path)
    tracks = run.path / "people"
    days = run.info.get("people_tracks_days")
    if days is None or not tracks.is_dir():
        return False
    if now_utc < datetime.fromisoformat(run.info["started_utc"]) + timedelta(days=float(days)):
        return False
    shutil.rmtree(tracks)
    return True
