"""Location tags: messages in omlox form become anonymous observations of where somebody is.

Identities end at this door. A tag's or trackable's name is turned into a pseudonym under a key that is drawn at random when the
twin starts, kept in memory only, and drawn anew every ``rotation_s``; nothing behind this file ever sees a name.

A place is refused, and counted under its reason, where it comes late or from the future, twice, too far out of order, with too
little accuracy, in other coordinates, or where nobody could have walked so fast (``jump``). Places that come a little out of
order are passed on with their time (``reordered``), for systems that see one person have different delays. Three jumps that agree
with each other are taken for the truth (``relocated``). Where two tags jump into each other's place within a second, people have
swapped tags (``swapped``): each observation keeps following its person.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import secrets
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridges.map_frame import MapFrame, MapFrameConfig
from bridges.vda5050.base import time_of

__all__ = ["TagObservations", "TagReader", "TagsConfig"]

_log = logging.getLogger(__name__)

_MAX_BATCH, _MAX_BYTES, _MAX_TAGS = 1000, 1_000_000, 10_000
_TAKEN = 64  # places of a person that are known again when they come twice
_AGREE = 3  # jumps that agree before they are believed
_SWAP_S = 1.0
_AHEAD_S = 0.5  # assumed: clocks kept by NTP differ by less
_FAR_M = 10_000.0  # no hall is so large: the place is of another map, or made up
_LOG_EVERY_S = 5.0

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class TagsConfig(BaseModel):
    """Location tags over MQTT. The broker is that of ``bridges.mqtt``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(False, description="Listen to location tags when live.")
    topic: str = Field("omlox/jsonrpc/trackable_motions/#", min_length=1, description="Topic filter of the messages.")
    frame: MapFrameConfig = Field(default_factory=MapFrameConfig, description="Where the hall lies in their coordinates.")
    max_age_s: float = Field(2.0, gt=0, le=60, description="A place that is older than this when it comes is refused, in s.")
    max_accuracy_m: float = Field(5.0, gt=0, le=100, description="A place that is less exact than this is refused, in m.")
    default_accuracy_m: float = Field(0.5, gt=0, le=10, description="Accuracy of places that come without one, in m.")
    max_speed_mps: float = Field(4.0, gt=0, le=20, description="Nobody is faster than this, in m/s.")
    rotation_s: float = Field(
        3600.0, ge=60, le=86_400, description="How long a tag keeps its pseudonym, in s; tracks end where it changes."
    )
    reorder_s: float = Field(
        1.0, ge=0, le=10, description="How much older than the newest place of the same person a place may be, in s."
    )
    same_instant_ms: float = Field(
        10.0,
        ge=0,
        le=100,
        description="Places of one person that lie nearer in time are fused into one, in ms.",
    )
    max_waiting: int = Field(5000, ge=10, le=1_000_000, description="Places kept until the twin takes them; older ones go first.")


@dataclass(frozen=True, slots=True)
class TagObservations:
    """Places that came since the last were taken, in the order of their measuring.

    Attributes
    ----------
    tag : (n,) pseudonym of who was seen. measured_s : (n,) when, seconds since 1970 [s].
    position_m : (n, 2) in the hall's frame [m]. accuracy_m : (n,) as the system says, about one standard deviation [m].
    provider : per place, ``uwb``, ``gps``, ... as the system says; joined by ``+`` where several were fused.
    epoch : of the pseudonyms; it grows when all of them change.
    """

    tag: IntArray
    measured_s: FloatArray
    position_m: FloatArray
    accuracy_m: FloatArray
    provider: tuple[str, ...]
    epoch: int = 0


_Place: TypeAlias = tuple[float, float, float, float]
"""When it was measured [s], x, y and accuracy [m]."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class _Point(_Message):
    type: Literal["Point"]
    coordinates: tuple[float, ...] = Field(min_length=2, max_length=3)


class _Location(_Message):
    position: _Point
    source: str
    provider_type: str
    provider_id: str = Field(min_length=1, max_length=256)
    trackables: tuple[str, ...] = ()
    timestamp_generated: str | None = None
    crs: str | None = None
    accuracy: float | None = Field(None, ge=0)


@dataclass(slots=True)
class _Track:
    """What is known of one pseudonym: the newest place, what jumped away from it, and what was taken lately (source, time)."""

    newest: _Place
    jumps: list[_Place]
    taken: deque[tuple[int, float]]


class TagReader:
    """Reads location messages and keeps what may be known of them until the twin takes it.

    Parameters
    ----------
    config : what is refused, and where the hall lies.
    key : of the pseudonyms, at least 16 bytes; default: drawn from the operating system, and anew with every rotation.

    Attributes
    ----------
    counts : places ``taken`` and refused (``size``, ``json``, ``schema``, ``batch``, ``crs``, ``accuracy``, ``late``, ``early``,
        ``far``, ``duplicate``, ``out_of_order``, ``jump``, ``tags``), and noticed: ``reordered``, ``relocated``, ``swapped``,
        ``overflow``.
    """

    def __init__(self, config: TagsConfig, key: bytes | None = None) -> None:
        self._config, self._frame = config, MapFrame(config.frame)
        self._given = key
        self._key = key or secrets.token_bytes(32)
        self._period, self._rotations = -1, 0
        self.counts: Counter[str] = Counter()
        self._tracks: dict[int, _Track] = {}
        self._alias: dict[int, int] = {}
        self._waiting: deque[tuple[int, float, float, float, float, str]] = deque()
        self._lock = threading.Lock()
        self._logged_s = -_LOG_EVERY_S

    def take(self, payload: bytes, arrived_s: float) -> int:
        """Read a message: one location or a list of them. From any thread.

        Parameters
        ----------
        payload : UTF-8 JSON. arrived_s : seconds since 1970 [s].

        Returns
        -------
        int
            Places that were taken; the others were counted under their reasons.
        """
        if len(payload) > _MAX_BYTES:
            return self._refuse("size", f"{len(payload)} bytes; at most {_MAX_BYTES} are read")
        batch: list[bytes | str] = [payload]
        if payload.lstrip()[:1] == b"[":
            try:
                batch = [json.dumps(entry) for entry in json.loads(payload)]
            except (ValueError, RecursionError) as error:
                return self._refuse("json", str(error))
        if len(batch) > _MAX_BATCH:
            return self._refuse("batch", f"{len(batch)} locations in one message; at most {_MAX_BATCH} are read")
        with self._lock:
            self._rotate(arrived_s)
            read = sorted((r for r in (self._read(entry, arrived_s) for entry in batch) if r), key=lambda r: r[1])
            return sum(self._keep(*r) for r in read)

    def _refuse(self, kind: str, reason: str) -> int:
        self.counts[kind] += 1
        now_s = time.monotonic()
        if now_s - self._logged_s >= _LOG_EVERY_S:
            self._logged_s = now_s
            _log.warning("location tags: a message was refused (%s): %s", kind, reason)
        return 0

    def _rotate(self, now_s: float) -> None:
        period = int(now_s // self._config.rotation_s)
        if period != self._period:
            if self._rotations and self._given is None:
                self._key = secrets.token_bytes(32)
            self._period = period
            self._rotations += 1
            self._tracks.clear()
            self._alias.clear()

    def _pseudonym(self, name: str) -> int:
        salt = self._rotations.to_bytes(8, "big")
        digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), key=self._key[:64], salt=salt, digest_size=8).digest()
        return int.from_bytes(digest, "big") >> 1  # 63 bits fit an int64

    def _read(self, entry: bytes | str, arrived_s: float) -> tuple[int, float, float, float, float, str, int] | None:
        """Read one location; None, counted, where it cannot be used. No text of its identities is ever logged."""
        config = self._config
        try:
            location = _Location.model_validate_json(entry)
            measured_s = time_of(location.timestamp_generated) if location.timestamp_generated is not None else arrived_s
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
            kind = "json" if fault["type"] == "json_invalid" else "schema"
            self._refuse(kind, f"{'.'.join(str(p) for p in fault['loc']) or 'message'}: {fault['msg']}")
            return None
        except ValueError:
            self._refuse("schema", "timestamp_generated: no time with a zone; 2026-01-31T08:00:00.000Z is one")
            return None
        if location.crs is not None and location.crs != self._frame.crs:
            self._refuse("crs", f"crs {location.crs[:20]!r}; {self._frame.crs} is configured in bridges.tags.frame")
            return None
        accuracy_m = location.accuracy if location.accuracy else config.default_accuracy_m
        reason = (
            "accuracy" if accuracy_m > config.max_accuracy_m
            else "late" if arrived_s - measured_s > config.max_age_s
            else "early" if measured_s - arrived_s > _AHEAD_S
            else ""
        )  # fmt: skip
        if reason:
            self._refuse(reason, f"accuracy {accuracy_m:.2f} m, measured {arrived_s - measured_s:.3f} s before it came")
            return None
        x_m, y_m = self._frame.point_to_hall(*location.position.coordinates[:2])
        if not (abs(x_m) <= _FAR_M and abs(y_m) <= _FAR_M):
            self._refuse("far", f"more than {_FAR_M:g} m from the hall's corner; is bridges.tags.frame right?")
            return None
        name = min(location.trackables) if location.trackables else location.provider_id
        kind = location.provider_type[:32]
        return self._pseudonym(name), measured_s, x_m, y_m, accuracy_m, kind, self._pseudonym(f"{kind} {location.provider_id}")

    def _keep(self, tag: int, measured_s: float, x_m: float, y_m: float, accuracy_m: float, provider: str, source: int) -> bool:
        tag, place = self._alias.get(tag, tag), (measured_s, x_m, y_m, accuracy_m)
        track = self._tracks.get(tag)
        if track is None:
            if len(self._tracks) >= _MAX_TAGS:
                self.counts["tags"] += 1
                return False
            self._tracks[tag] = track = _Track(place, [], deque(maxlen=_TAKEN))
        elif (source, measured_s) in track.taken:
            self.counts["duplicate"] += 1
            return False
        elif measured_s < track.newest[0] - self._config.reorder_s:
            self.counts["out_of_order"] += 1
            return False
        elif not self._reachable(track.newest, place):
            if measured_s <= track.newest[0]:
                self.counts["jump"] += 1
                return False
            partner = self._swapped_with(tag, place)
            if partner is not None:
                self._swap(tag, partner)
                self.counts["swapped"] += 1
                tag, track = partner, self._tracks[partner]
                if measured_s <= track.newest[0]:
                    return False
            elif self._agreed(track, place):
                self.counts["relocated"] += 1
            else:
                self.counts["jump"] += 1
                return False
        if measured_s >= track.newest[0]:
            track.newest = place
            track.jumps.clear()
        else:
            self.counts["reordered"] += 1
        track.taken.append((source, measured_s))
        self._wait(tag, measured_s, x_m, y_m, accuracy_m, provider)
        return True

    def _wait(self, tag: int, measured_s: float, x_m: float, y_m: float, accuracy_m: float, provider: str) -> None:
        if len(self._waiting) >= self._config.max_waiting:
            self._waiting.popleft()
            self.counts["overflow"] += 1
        self._waiting.append((tag, measured_s, x_m, y_m, accuracy_m, provider))
        self.counts["taken"] += 1

    def _reachable(self, a: _Place, b: _Place) -> bool:
        # three standard deviations of two places beside what can be walked
        walked = self._config.max_speed_mps * abs(b[0] - a[0])
        return math.hypot(b[1] - a[1], b[2] - a[2]) <= walked + 3.0 * math.hypot(a[3], b[3])

    def _agreed(self, track: _Track, place: _Place) -> bool:
        if track.jumps and not self._reachable(track.jumps[-1], place):
            track.jumps.clear()
        track.jumps.append(place)
        return len(track.jumps) >= _AGREE

    def _swapped_with(self, tag: int, place: _Place) -> int | None:
        """Find who jumped to where ``tag`` was, from where ``tag`` is now."""
        own = self._tracks[tag]
        for other, track in self._tracks.items():
            if other == tag or not track.jumps or abs(place[0] - track.jumps[-1][0]) > _SWAP_S:
                continue
            if self._reachable(track.newest, place) and self._reachable(own.newest, track.jumps[-1]):
                return other
        return None

    def _swap(self, a: int, b: int) -> None:
        """Let the names behind two pseudonyms change places."""
        names_a = [name for name, now in self._alias.items() if now == a] or [a]
        names_b = [name for name, now in self._alias.items() if now == b] or [b]
        for name in names_a:
            self._alias[name] = b
        for name in names_b:
            self._alias[name] = a
        self._tracks[a].jumps.clear()
        self._tracks[b].jumps.clear()

    def drain(self) -> TagObservations:
        """Take all places that wait, by their measuring time. Called once a tick."""
        if not self._waiting:
            return TagObservations(np.zeros(0, np.int64), np.zeros(0), np.zeros((0, 2)), np.zeros(0), (), self._rotations)
        with self._lock:
            epoch = self._rotations
            rows = sorted(self._waiting, key=lambda row: row[1])
            self._waiting.clear()
        table = np.array([row[1:5] for row in rows], np.float64)
        tag = np.array([row[0] for row in rows], np.int64)
        return TagObservations(tag, table[:, 0], table[:, 1:3], table[:, 3], tuple(row[5] for row in rows), epoch)
