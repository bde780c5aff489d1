"""Logs as they come: what is put right and counted, and what is refused with its line."""

from __future__ import annotations

import re

import numpy as np
import pytest
from calibration_logs import config, hall
from hypothesis import given, settings
from hypothesis import strategies as st

from radio.fitting.calibration_csv import MeasurementLog, read_log

HEADER = "time_s,trp,x_m,y_m,z_m,rsrp_dbm"


def read(*rows: str, header: str = HEADER) -> MeasurementLog:
    return read_log([header + "\n", *(row + "\n" for row in rows)], config(), hall())


def test_rows_become_arrays() -> None:
    log = read("0,west,12,9,1.2,-80.5,x,3,90", "0.5,east,12.1,9,1.2,,y,,90", header=HEADER + ",note,beam,heading_deg")
    assert log.trp.tolist() == [0, 1]
    assert log.position_m.tolist() == [[12, 9, 1.2], [12.1, 9, 1.2]]
    assert log.rsrp_dbm[0] == -80.5
    assert np.isnan(log.rsrp_dbm[1])
    assert log.beam.tolist() == [3, -1]
    np.testing.assert_allclose(log.heading_rad, np.pi / 2)
    assert log.line.tolist() == [2, 3]
    assert log.n_heard == 1


def test_order_repetitions_and_conflicts_are_put_right_and_counted() -> None:
    log = read("1,west,12,9,1,-80", "0,west,11,9,1,-81", "", "1,west,12,9,1,-80", "1,west,12,9,1,-84")
    assert log.time_s.tolist() == [0, 1, 1]
    assert (log.reordered, log.repeated, log.conflicting) == (1, 1, 1)
    assert log.rsrp_dbm.tolist() == [-81, -80, -84]


def test_byte_order_mark_and_blanks_are_tolerated() -> None:
    assert read(" 0 , west , 12 , 9 , 1 , -80 ", header="\ufefftime_s, trp ,x_m,y_m,z_m,rsrp_dbm").n_heard == 1


def test_places_a_little_off_are_left_out() -> None:
    # 0.3 m behind the wall x = 0, and 0.3 m inside the rack's side y = 6.6.
    log = read("0,west,-0.3,9,1,-80", "1,west,18,6.3,1,-80", "2,west,12,9,1,-80")
    assert log.off_floor == 2
    assert len(log.line) == 1


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (["0,west,12,9,1"], "time_s,trp,x_m,y_m,z_m", "line 1: column 'rsrp_dbm' is missing"),
        (["0;west;12;9;1;-80"], HEADER.replace(",", ";"), "line 1: columns are separated by ';', wanted ','"),
        (["0,west,12,9,1,-80,-81"], HEADER + ",rsrp_dbm", "line 1: column 'rsrp_dbm' stands twice"),
        (["0,west,12,9,1,-80", "1,west,12,9,1"], HEADER, "line 3: 5 fields, but the header names 6 columns"),
        (["0,wset,12,9,1,-80"], HEADER, "line 2: trp is 'wset', which the scenario does not have; it has west, east, north"),
        (["x,west,12,9,1,-80"], HEADER, "line 2: time_s is 'x', wanted a finite number in s"),
        (["0,west,12,nan,1,-80"], HEADER, "line 2: y_m is 'nan', wanted a finite number in m"),
        (["0,west,12,9,,-80"], HEADER, "line 2: z_m is '', wanted a finite number in m"),
        (["0,west,12,9,1,nan"], HEADER, "line 2: rsrp_dbm is 'nan', wanted a finite number in dBm, or nothing where"),
        (["0,west,12,9,1,80"], HEADER, "line 2: rsrp_dbm is 80, wanted a power in dBm between -200 and 10"),
        (["0,west,12,9,1,-inf"], HEADER, "line 2: rsrp_dbm is '-inf'"),
        (["0,west,12,9,1,-80,64"], HEADER + ",beam", "line 2: beam is '64', wanted 0 to 63, the beams of 'west'"),
        (["0,north,12,9,1,-80,16"], HEADER + ",beam", "line 2: beam is '16', wanted 0 to 15, the beams of 'north'"),
        (["0,west,12,21,1,-80"], HEADER, "line 2: y_m is 21, outside the hall; wanted 0 to 20 m"),
        (["0,west,18,6,1,-80"], HEADER, "line 2: x_m, y_m, z_m are 18, 6, 1, 0.6 m inside box 0"),
        ([], HEADER, "has a header but no rows"),
        ([], "", "line 1: column 'time_s' is missing; the header has nothing"),
        (["0,west,12,9,1,"], HEADER, "no row of the log has an rsrp_dbm"),
        ([f"{i},west,{2 + i},9,1,-80" for i in range(12)], HEADER, "rsrp_dbm is -80 in all 12 rows"),
    ],
)
def test_what_cannot_be_a_measurement_is_refused(rows: list[str], header: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read(*rows, header=header)


def test_a_device_at_rest_may_report_one_value() -> None:
    assert read(*(f"{i},west,12,9,1,-80" for i in range(12))).n_heard == 12


@settings(deadline=None, max_examples=50, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["west", "east", "north"]), st.sampled_from(["", "-80", "-81.5"])),
        min_size=1,
        max_size=30,
    )
)
def test_no_row_is_lost_without_being_counted(rows: list[tuple[int, str, str]]) -> None:
    text = [f"{time},{trp},{11 + time},9,1,{rsrp}" for time, trp, rsrp in rows]
    log = read("98,west,12,9,1,-80", "99,west,15,9,1,-85", *text)
    assert len(log.line) + log.repeated == len(rows) + 2
    assert (np.diff(log.time_s) >= 0).all()
    assert len(set(log.line.tolist())) == len(log.line)
