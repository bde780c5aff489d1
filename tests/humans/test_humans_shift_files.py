"""Shift plans as CSV and iCalendar: what is read, and file, line and column of every slip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from humans_shifts import shift_hall, shift_people

from humans.calendar_ics import local_time, read_calendar
from humans.shift_csv import ShiftError, read_plan
from humans.shift_plan import FREE, HANDOVER, PAUSE, TASK, ShiftPlan, plan_shift
from humans.sources import create_crowd

_HEADER = "person,role,starts_at,ends_at,task,station"


def _csv(folder: Path, *lines: str, header: str = _HEADER) -> Path:
    path = folder / "plan.csv"
    path.write_text("\n".join((header, *lines)) + "\n", encoding="utf-8")
    return path


def _listed(path: Path, **shift: Any) -> ShiftPlan:
    return plan_shift(shift_people({"crews": [], "plan": path.name, **shift}), np.random.default_rng(0), path.parent)


def test_a_plan_says_who_does_what(tmp_path: Path) -> None:
    path = _csv(
        tmp_path,
        "17,operator,06:00,07:00,,",
        "17,operator,07:10,08:00,inspect,desk",
        "18,picker,06:00,06:30,work,",
        "17,operator,07:00,07:10,break,",
        "",
        "18,picker,06:30,07:00,away,",
        "18,picker,07:00,09:00,sweep,",
    )
    plan = _listed(path)
    assert plan.role.tolist() == [0, 1]
    assert plan.kind.tolist() == [FREE, PAUSE, TASK, FREE, TASK]
    assert (plan.start_us / 60e6).tolist() == [2, 62, 72, 2, 62]
    assert plan.task.tolist() == [-1, -1, 1, -1, 2]
    assert plan.station.tolist() == [-1, -1, 5, -1, -1]


def test_semicolons_dates_and_the_next_day_are_read(tmp_path: Path) -> None:
    path = _csv(
        tmp_path,
        "a;picker;2026-03-03 22:00;2026-03-04T06:00;work",
        "b;picker;22:00;06:00+1;work",
        header="Person;Role;Starts_at;Ends_at;Task",
    )
    rows = read_plan(path, "2026-03-02")
    assert [(row.start_s / 3600, row.end_s / 3600) for row in rows] == [(46, 54), (22, 30)]
    assert rows[0].station is None


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["1,operator,06:00,05:00,,"], r":2:4: ends_at '05:00' is not after starts_at '06:00'; for the next day write 05:00\+1"),
        (["1,operator,06:00,07:00,,", "1,operator,6h,08:00,,"], r":3:3: starts_at is '6h', wanted a time such as 06:00"),
        (
            ["1,operator,06:00,07:00,,", "1,operator,06:30,08:00,,"],
            r":3:5: 06:30-08:00 overlaps 06:00-07:00 of the same .* line 2",
        ),
        (
            ["1,operator,06:30,08:00,,", "1,operator,06:00,07:00,,"],
            r":3:5: 06:00-07:00 overlaps 06:30-08:00 of the same .* line 2",
        ),
        (["1,operator,06:00,07:00,,", "1,picker,07:00,08:00,,"], r":3:5: role 'picker' of a person who is 'operator' in .*:2:5"),
        (["1,oprator,06:00,07:00,,"], r":2:5: unknown role 'oprator'; did you mean 'operator'"),
        (["1,operator,06:00,07:00,inspct,"], r":2:5: unknown task 'inspct'; did you mean 'inspect'"),
        (["1,operator,06:00,07:00,inspect,dsk"], r":2:5: unknown station 'dsk'; did you mean 'desk'"),
        ([",operator,06:00,07:00,,"], r":2:1: person is empty; wanted a number or label"),
        (["1,operator,06:00"], r":2:1: 3 values, the header names 6 columns"),
        (["1,operator,2026-03-02 06:00,2026-03-02 07:00,,"], r":2:3: .* has a date; people.shift.date must say"),
        ([], r":1:1: only a header; the plan has nobody"),
        (['1,operator,"06:00'], r":2:1: 3 values"),
    ],
)
def test_slips_in_a_plan_are_answered_with_line_and_column(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(ShiftError, match=r"plan\.csv" + said):
        _listed(_csv(tmp_path, *lines))


def test_files_that_are_no_plan(tmp_path: Path) -> None:
    with pytest.raises(ShiftError, match=r"plan\.csv: no such file; give a CSV with the columns person, role"):
        _listed(tmp_path / "plan.csv")
    with pytest.raises(ShiftError, match=r"plan\.csv:1:1: no column 'role' among person"):
        _listed(_csv(tmp_path, header="person"))
    (tmp_path / "plan.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ShiftError, match="not a text file in UTF-8"):
        _listed(tmp_path / "plan.csv")
    (tmp_path / "plan.csv").write_text("")
    with pytest.raises(ShiftError, match=":1:1: the file is empty"):
        _listed(tmp_path / "plan.csv")


# ---------------------------------------------------------------------- iCalendar
_DAILY = """UID:1
SUMMARY:Shift
DTSTART;TZID=Europe/Berlin:20260223T060000
DTEND;TZID=Europe/Berlin:20260223T140000
RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;UNTIL=20261231T000000Z"""
_NEXT = "\nEND:VEVENT\nBEGIN:VEVENT\n"
_BREAK = "UID:2\nSUMMARY:break\nDTSTART:20260302T090000\nDURATION:PT15M\nRRULE:FREQ=DAILY"


def _ics(folder: Path, *events: str) -> Path:
    path = folder / "early.ics"
    body = "".join(f"BEGIN:VEVENT\n{e}\nBEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM\nEND:VEVENT\n" for e in events)
    path.write_text(f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//hall//EN\n{body}END:VCALENDAR\n", encoding="utf-8")
    return path


def _called(folder: Path, *events: str, **shift: Any) -> ShiftPlan:
    path = _ics(folder, *events)
    crew = {"calendar": path.name, "starts_at": None, "ends_at": None, "breaks": None, "early_mean_min": 0, "early_sd_min": 0}
    config = shift_people({"date": "2026-03-02", "starts_at": "05:50", **shift}, crew)
    return plan_shift(config, np.random.default_rng(0), folder)


def test_a_calendar_gives_presence_breaks_and_tasks(tmp_path: Path) -> None:
    inspect = "UID:3\nSUMMARY:Inspect\nLOCATION:desk\nDTSTART:20260302T110000\nDTEND:20260302T113000"
    inspect += "\nATTENDEE;CN=Ann Example:mailto:a@b.c"
    plan = _called(tmp_path, _DAILY, _BREAK, inspect)
    assert plan.kind.tolist() == 2 * [FREE, PAUSE, FREE, TASK, FREE]
    assert (plan.start_us[:5] / 60e6).tolist() == [10, 190, 205, 310, 340]
    assert (plan.task[3], plan.station[3]) == (1, 5)
    assert not plan.hall_breaks.any()


def test_single_days_may_be_left_out_moved_or_away(tmp_path: Path) -> None:
    without = f"{_DAILY}\nEXDATE;TZID=Europe/Berlin:20260303T060000"
    moved = (
        "UID:1\nSUMMARY:shift\nRECURRENCE-ID;TZID=Europe/Berlin:20260304T060000\nDTSTART:20260304T070000\nDTEND:20260304T120000"
    )
    holiday = "UID:9\nSUMMARY:away\nDTSTART;VALUE=DATE:20260305"
    plan = _called(tmp_path, without, moved, holiday, days=5)
    first = plan.start_us[: plan.first[1]] / 3600e6
    last = plan.end_us[: plan.first[1]] / 3600e6
    ten = 10 / 60
    assert first.tolist() == pytest.approx([ten, 49 + ten, 96 + ten])  # Monday, Wednesday from 07:00, Friday
    assert last.tolist() == pytest.approx([8 + ten, 54 + ten, 104 + ten])


def test_times_in_utc_are_the_halls_when_it_says_where_it_is(tmp_path: Path) -> None:
    event = "SUMMARY:shift\nDTSTART:20260302T050000Z\nDTEND:20260302T130000Z"
    plan = _called(tmp_path, event, timezone="Europe/Berlin")
    assert plan.start_us[0] == 10 * 60_000_000  # 06:00 in Berlin
    with pytest.raises(
        ShiftError, match=r"early\.ics:6:1: 2026-03-02 05:00 is in UTC; people.shift.timezone must name the hall's"
    ):
        _called(tmp_path, event)
    with pytest.raises(ShiftError, match="timezone 'Europe/Berln' is unknown; write it as Europe/Berlin"):
        _called(tmp_path, event, timezone="Europe/Berln")


def test_the_night_on_which_clocks_go_forward_is_an_hour_shorter(tmp_path: Path) -> None:
    event = "SUMMARY:shift\nDTSTART;TZID=Europe/Berlin:20260328T220000\nDTEND;TZID=Europe/Berlin:20260329T060000"
    (found,) = read_calendar(_ics(tmp_path, event), local_time("2026-03-28", 21 * 3600, "Europe/Berlin"), 2)
    assert (found.start_s, found.end_s - found.start_s) == (3600.0, 7 * 3600.0)


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ("SUMMARY:shift\nDTSTART:20260302T060000\nDTEND:20260302T050000", r":7:1: event 'shift' does not end after its start"),
        ("SUMMARY:shift\nDTSTART:2026030T060000\nDTEND:20260302T050000", r":6:1: DTSTART: Expected datetime"),
        ("SUMMARY:shift\nDTEND:20260302T050000", r":4:1: event 'shift' has no DTSTART"),
        ("DTSTART:20260302T060000\nDTEND:20260302T150000", r":4:1: an event without a summary"),
        ("SUMMARY:shift\nDTSTART;VALUE=DATE:20260302", r":6:1: event 'shift' lasts whole days; DTSTART needs a time"),
        ("SUMMARY:shift\nDTSTART:20260302T060000\nDTEND:20260302T140000\nRRULE:FREQ=NEVER", r":8:1: RRULE: Expected frequency"),
        ("SUMMARY:shift\nDTSTART:20260302T060000\nDTEND:20260302T060001\nRRULE:FREQ=SECONDLY", r":8:1: RRULE gives more than"),
        ("SUMMARY:shift\nDTSTART:20260402T060000\nDTEND:20260402T140000", r": no event called 'shift' near 2026-03-02"),
        (f"{_DAILY}{_NEXT}SUMMARY:lunch\nDTSTART:20260302T120000\nDURATION:PT1H", r":11:1: unknown task 'lunch'"),
        (f"{_DAILY}{_NEXT}SUMMARY:break\nDTSTART:20260302T190000\nDURATION:PT1H", r":11:1: 'break' is outside"),
        (f"{_DAILY}{_NEXT}SUMMARY:break\nLOCATION:cofee\nDTSTART:20260302T090000\nDURATION:PT1H",
         r":11:1: unknown station 'cofee'; did you mean 'coffee'"),
        (f"{_DAILY}{_NEXT}{_BREAK}{_NEXT}SUMMARY:handover\nDTSTART:20260302T090500\n"
         "DURATION:PT1H", r":\d+:1: '\w+' overlaps another event of its shift"),
        (f"{_DAILY}{_NEXT}SUMMARY:shift\nDTSTART:20260302T120000\nDURATION:PT1H", r":11:1: this shift overlaps"),
    ],
)  # fmt: skip
def test_slips_in_a_calendar_are_answered_with_the_line(tmp_path: Path, event: str, said: str) -> None:
    with pytest.raises(ShiftError, match=r"early\.ics" + said):
        _called(tmp_path, event)


def test_files_that_are_no_calendar(tmp_path: Path) -> None:
    begin = local_time("2026-03-02", 0, None)
    with pytest.raises(ShiftError, match="no such file; give an iCalendar file"):
        read_calendar(tmp_path / "no.ics", begin, 1)
    path = tmp_path / "early.ics"
    path.write_text("person,role\n")
    with pytest.raises(ShiftError, match=":1:1: not an iCalendar file; its first line must be BEGIN:VCALENDAR"):
        read_calendar(path, begin, 1)
    path.write_text("BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:shift\n")
    with pytest.raises(ShiftError, match=r"early\.ics"):
        read_calendar(path, begin, 1)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ShiftError, match="not a text file in UTF-8"):
        read_calendar(path, begin, 1)


def test_a_crowd_reads_its_files_beside_the_scenario(tmp_path: Path) -> None:
    path = _csv(tmp_path, "1,operator,05:00,07:00,handover,desk")
    crowd = create_crowd(shift_people({"crews": [], "plan": path.name}), shift_hall(), np.random.default_rng(0), tmp_path)
    assert crowd.n == 1
    assert crowd.state().present.tolist() == [True]
    assert _listed(path).kind.tolist() == [HANDOVER]
