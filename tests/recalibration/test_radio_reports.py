"""Radio measurements in: what is taken, what is refused, in which order it is handed on."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np

from bridges.radio_reports import RadioReportReader, RadioReportsConfig

NOW = 1_800_000_000.0


def message(age_s: float = 0.1, **changes: object) -> dict[str, object]:
    """Return a sound message, changed."""
    stamp = datetime.fromtimestamp(NOW - age_s, UTC).isoformat().replace("+00:00", "Z")
    return {"ue": "agv-1", "trp": "north", "rsrp_dbm": -78.0, "sinr_db": 24.5, "time": stamp} | changes


def reader(**settings: int) -> RadioReportReader:
    return RadioReportReader(RadioReportsConfig(**settings), ("agv-0", "agv-1"), ("north", "south"))  # type: ignore[arg-type]


def test_taken_in_order_of_time() -> None:
    read = reader()
    batch = [message(0.1), message(0.3, trp="south", sinr_db=None), message(0.2, ue="agv-0")]
    assert read.take(json.dumps(batch).encode(), NOW) == 3
    got = read.drain()
    assert got.ue.tolist() == [1, 0, 1]
    assert got.trp.tolist() == [1, 0, 0]
    assert np.isnan(got.sinr_db).tolist() == [True, False, False]
    assert len(read.drain().ue) == 0


def test_refusals_are_counted_by_reason() -> None:
    read = reader()
    bad = [
        message(60.0), message(-5.0), message(ue="who"), message(trp="where"), message(rsrp_dbm="x"), message(rsrp_dbm=78.0),
        message(time="yesterday"), 5, message(0.1), message(0.1), {**message(), "rsrp_dbm": float("nan")},
    ]  # fmt: skip
    for entry in bad:
        read.take(json.dumps(entry).encode(), NOW)
    read.take(json.dumps(message(0.2)).encode(), NOW)
    read.take(b"\xff{", NOW)
    read.take(b"[" * 50_000, NOW)
    read.take(json.dumps([message()] * 1001).encode(), NOW)
    expected = {"late": 1, "early": 1, "ue": 1, "trp": 1, "schema": 5, "taken": 1, "duplicate": 1, "out_of_order": 1}
    assert read.counts == {**expected, "json": 2, "batch": 1}


def test_flood_is_bounded() -> None:
    read = reader(max_waiting=10)
    for k in range(30):
        read.take(json.dumps(message(4.0 - k / 10)).encode(), NOW)
    assert read.counts["overflow"] == 20
    assert len(read.drain().ue) == 10
