"""Who comes when: crews, breaks, absences, handovers and visitors, drawn from a seed; and what is answered to a slip."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from humans_shifts import shift_people, shift_section
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from ruamel.yaml import YAML

from humans.config import PeopleConfig
from humans.shift_config import clock, seconds_of_day
from humans.shift_csv import ShiftError
from humans.shift_plan import FREE, HANDOVER, PAUSE, TASK, ShiftPlan, plan_shift
from humans.tasks import TaskConfig, draw_duration_s

_MIN = 60_000_000


def _plan(seed: int = 1, shift: dict[str, Any] | None = None, crew: dict[str, Any] | None = None, **changes: Any) -> ShiftPlan:
    return plan_shift(shift_people(shift, crew, **changes), np.random.default_rng(seed), None)


def _spans(plan: ShiftPlan, person: int) -> list[tuple[int, float, float]]:
    part = slice(plan.first[person], plan.first[person + 1])
    return [(int(k), a / _MIN, b / _MIN) for k, a, b in zip(plan.kind[part], plan.start_us[part], plan.end_us[part], strict=True)]


def test_a_crew_works_rests_and_leaves() -> None:
    plan = _plan()
    assert len(plan.role) == 2
    for person in range(2):
        kinds, starts, ends = zip(*_spans(plan, person), strict=True)
        assert kinds == (FREE, PAUSE, FREE)
        assert starts[0] == pytest.approx(1.0, abs=1.2)  # a minute before 06:00, which is two after the beginning
        assert (starts[1], ends[1]) == (12.0, 17.0)
        assert ends[2] == 32.0
    assert plan.menu == ((0,), (0,))


def test_the_same_seed_draws_the_same_plan() -> None:
    crew = {"people": 30, "sick_share": 0.2, "away_per_h": {"6": 2}, "starts_at": "06:00", "ends_at": "10:00"}
    shift = {"visitors": [{"name": "tour", "role": "visitor", "groups_per_h": {"8": 4}}]}
    one, same, other = (_plan(seed, shift, crew) for seed in (5, 5, 6))
    for field in fields(ShiftPlan):
        a, b = getattr(one, field.name), getattr(same, field.name)
        assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b, field.name
    assert not np.array_equal(one.start_us, other.start_us)


def test_break_groups_go_one_after_the_other() -> None:
    plan = _plan(crew={"people": 4, "break_groups": 2})
    starts = [next(a for kind, a, _ in _spans(plan, p) if kind == PAUSE) for p in range(4)]
    assert starts == [12.0, 12.0, 17.0, 17.0]


def test_a_night_shift_ends_on_the_next_day_and_began_yesterday() -> None:
    crew = {"starts_at": "22:00", "ends_at": "06:00+1", "breaks": ["02:00-02:30"], "early_mean_min": 0, "early_sd_min": 0}
    plan = _plan(shift={"starts_at": "05:00", "days": 2}, crew=crew)
    spans = _spans(plan, 0)
    assert spans[0] == (FREE, -150.0, 60.0)  # after yesterday's break, until 06:00
    assert spans[1:4] == [(FREE, 1020.0, 1260.0), (PAUSE, 1260.0, 1290.0), (FREE, 1290.0, 1500.0)]
    assert len(spans) == 7  # and once more on the second day


def test_weekdays_are_kept() -> None:
    shift = {"date": "2026-03-06", "days": 3}  # Friday to Sunday
    assert len(_spans(_plan(shift=shift, crew={"weekdays": ["fri", "sun"]}), 0)) == 6
    assert len(_plan(shift=shift, crew={"weekdays": ["tue"]}).role) == 0


def test_absences_by_the_hour_leave_gaps_and_only_then() -> None:
    crew = {"people": 60, "starts_at": "06:00", "ends_at": "12:00", "breaks": [], "away_per_h": {"8": 1.0}, "away_mean_min": 10}
    plan = _plan(shift={"starts_at": "05:30"}, crew=crew)
    gaps = []
    for person in range(60):
        spans = _spans(plan, person)
        gaps += [(b, c) for (_, _, b), (_, c, _) in pairwise(spans) if c > b + 1e-9]
    starts, lengths = np.array([a for a, _ in gaps]), np.array([b - a for a, b in gaps])
    assert 35 < len(gaps) < 80  # about one each; some would overlap and are not taken
    assert starts.min() >= 150
    assert starts.max() <= 210
    assert lengths.mean() == pytest.approx(10, rel=0.35)


def test_sickness_keeps_people_away_at_its_share() -> None:
    plan = _plan(crew={"people": 400, "sick_share": 0.25})
    assert len(plan.role) == pytest.approx(300, abs=3 * np.sqrt(400 * 0.25 * 0.75))


def test_a_handover_joins_one_person_of_each_crew() -> None:
    late = {"name": "late", "role": "operator", "people": 3, "starts_at": "06:28", "ends_at": "07:00", "early_mean_min": 2}
    crews = [{"name": "early", "role": "operator", "people": 2, "starts_at": "06:00", "ends_at": "06:30", "relieved_by": "late",
              "handover_min": 4}, late]  # fmt: skip
    plan = _plan(shift={"crews": crews})
    for person in range(2):
        kind, start, end = _spans(plan, person)[-1]
        assert (kind, start, end) == (HANDOVER, 30.0, 34.0)  # 06:28 to 06:32: the early crew stays until it is over
        k = int(plan.first[person + 1]) - 1
        partner = int(plan.partner[k])
        assert partner == person + 2
        assert HANDOVER in [kind for kind, _, _ in _spans(plan, partner)]
    assert HANDOVER not in [kind for kind, _, _ in _spans(plan, 4)]


def test_a_handover_over_midnight_is_with_tomorrows_crew() -> None:
    night = {"name": "night", "role": "operator", "people": 1, "starts_at": "22:00", "ends_at": "06:00+1", "relieved_by": "early"}
    early = {"name": "early", "role": "operator", "people": 1, "starts_at": "05:55", "ends_at": "14:00"}
    plan = _plan(shift={"starts_at": "21:00", "days": 2, "crews": [night, early]})
    ends = [_spans(plan, 0)[k] for k in range(len(_spans(plan, 0))) if _spans(plan, 0)[k][0] == HANDOVER]
    assert ends == [(HANDOVER, 535.0, 540.0)]  # 05:55 to 06:00 of the second day; on the third nobody comes


def test_visitors_come_by_the_rate_of_the_hour_and_stay_together() -> None:
    visitors = {
        "name": "tour",
        "role": "visitor",
        "groups_per_h": {"9": 30},
        "group_size_mean": 3,
        "guide_role": "picker",
        "stops": 3,
    }
    plan = _plan(shift={"crews": [], "visitors": [visitors]})
    firsts = [_spans(plan, p)[0][1] for p in range(len(plan.role))]
    groups = {round(t, 6) for t in firsts}
    assert 15 < len(groups) < 50
    assert min(firsts) >= 182
    assert max(firsts) <= 242
    assert (plan.role == 1).sum() == len(groups)  # one guide each
    same = [p for p, t in enumerate(firsts) if round(t, 6) == round(firsts[0], 6)]
    assert all(_spans(plan, p) == _spans(plan, 0) for p in same)
    assert all(len(_spans(plan, p)) == 3 for p in range(len(plan.role)))


def test_planned_tasks_stand_where_they_were_planned() -> None:
    plan = _plan(crew={"planned": [{"task": "inspect", "starts_at": "06:20", "ends_at": "06:25", "station": "desk"}]})
    assert (TASK, 22.0, 27.0) in _spans(plan, 1)
    k = int(np.flatnonzero(plan.kind == TASK)[0])
    assert (plan.task[k], plan.station[k]) == (1, 5)


def test_too_many_people_are_refused() -> None:
    with pytest.raises(ShiftError, match="600 people come; at most 500"):
        _plan(
            shift={
                "crews": [{"name": n, "role": "operator", "people": 300, "starts_at": "06:00", "ends_at": "08:00"} for n in "ab"]
            }
        )


@settings(deadline=None, derandomize=True, max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    sick=st.floats(0, 0.5),
    away=st.floats(0, 4),
    early=st.floats(0, 60),
    groups=st.integers(1, 3),
    begin=st.integers(0, 23),
)
def test_nobody_is_ever_planned_twice_at_a_time(
    seed: int, sick: float, away: float, early: float, groups: int, begin: int
) -> None:
    crew = {
        "people": 6, "starts_at": "06:00", "ends_at": "14:00", "breaks": ["09:00-09:15", "12:00-12:30"], "break_groups": groups,
        "sick_share": sick, "away_per_h": {h: away for h in range(6, 14)}, "early_mean_min": early, "early_sd_min": 30,
        "relieved_by": "late", "planned": [{"task": "inspect", "starts_at": "10:00", "ends_at": "10:20"}],
    }  # fmt: skip
    late = {"name": "late", "role": "operator", "people": 4, "starts_at": "13:50", "ends_at": "22:00", "early_sd_min": 10}
    crews = [{"name": "early", "role": "operator", "tasks": ["assemble"], **crew}, late]
    plan = _plan(seed, {"starts_at": f"{begin:02d}:00", "days": 2, "crews": crews})
    assert (plan.end_us > plan.start_us).all()
    assert (plan.end_us > 0).all()
    for person in range(len(plan.role)):
        part = slice(plan.first[person], plan.first[person + 1])
        assert (plan.start_us[part][1:] >= plan.end_us[part][:-1]).all()


# ---------------------------------------------------------------------- durations
@pytest.mark.parametrize("distribution", ["gamma", "lognormal", "uniform", "fixed"])
def test_durations_have_the_mean_and_deviation_that_was_asked_for(distribution: str) -> None:
    rng = np.random.default_rng(3)
    cv = 0.0 if distribution == "fixed" else 0.5
    drawn = np.array([draw_duration_s(60.0, 0.5, distribution, rng) for _ in range(8000)])
    assert drawn.mean() == pytest.approx(60.0, rel=0.02)
    assert drawn.std() / 60 == pytest.approx(cv, abs=0.02)
    assert drawn.min() >= 1.0


# ---------------------------------------------------------------------- slips
@pytest.mark.parametrize(("text", "seconds"), [("06:00", 21600), ("6:05:30", 21930), ("23:59", 86340), ("06:00+1", 108000)])
def test_times_of_day(text: str, seconds: int) -> None:
    assert seconds_of_day(text) == seconds
    assert seconds_of_day(clock(seconds)) == seconds


_OTHER = {"name": "late", "role": "operator", "people": 2, "starts_at": "16:00", "ends_at": "22:00"}


@pytest.mark.parametrize(
    ("shift", "crew", "said"),
    [
        (
            {},
            {"ends_at": "05:00"},
            r"crew 'early': ends_at '05:00' is before starts_at '06:00'; for the next day write '05:00\+1'",
        ),
        ({}, {"starts_at": "six"}, "'six' is no time of day; write it as '06:00'"),
        ({}, {"starts_at": 600}, "600 is no time of day; write it in quotes"),
        ({}, {"starts_at": "25:00"}, "'25:00' is no time of day"),
        ({}, {"starts_at": None}, "crew 'early': starts_at and ends_at are missing, or a calendar"),
        ({}, {"breaks": ["06:20-06:10"]}, "'06:20-06:10' ends before it starts; write the later time second, '06:10-06:20'"),
        ({}, {"breaks": ["06:10"]}, "'06:10' is no span of time; write it as '09:00-09:15'"),
        ({}, {"breaks": ["07:10-07:20"]}, "break '07:10-07:20' is outside the shift 06:00-06:30"),
        ({}, {"breaks": ["06:05-06:15", "06:10-06:20"]}, "break '06:10-06:20' overlaps break '06:05-06:15'; one person does one"),
        ({}, {"breaks": ["06:05-06:15"], "break_groups": 4}, "break '06:05-06:15' in 4 groups is outside the shift"),
        (
            {},
            {"planned": [{"task": "inspect", "starts_at": "06:12", "ends_at": "06:20"}]},
            "crew 'early': task 'inspect' 06:12-06:20 overlaps break '06:10-06:15'",
        ),
        (
            {},
            {"planned": [{"task": "inspect", "starts_at": "06:25", "ends_at": "06:20"}]},
            "task 'inspect' ends at '06:20', before its start '06:25'",
        ),
        ({}, {"role": "oprator"}, "crew 'early': unknown role 'oprator'; did you mean 'operator'"),
        ({}, {"tasks": ["asemble"]}, "crew 'early': unknown task 'asemble'; did you mean 'assemble'"),
        ({}, {"gate": "bench-1"}, "crew 'early': unknown gate 'bench-1'; there is gate"),
        ({}, {"relieved_by": "latte"}, "crew 'early': unknown crew 'latte'; there is early"),
        ({}, {"people": 0}, "greater than or equal to 1"),
        ({}, {"away_per_h": {"25": 1}}, "'25' is no hour of the day"),
        ({}, {"away_per_h": {"7": 90}}, "away_per_h 07: 90 is outside 0..20 times per hour"),
        ({}, {"calendar": "x.ics"}, "give calendar, or starts_at and ends_at, not both"),
        (
            {},
            {"calendar": "x.ics", "starts_at": None, "ends_at": None},
            "crew 'early' has a calendar: people.shift.date must say",
        ),
        ({}, {"weekdays": ["mon"]}, "crew 'early' has weekdays: people.shift.date must say"),
        ({}, {"relieved_by": "early"}, "is relieved by 'early'; that crew must be another one"),
        ({"date": "2.3.2026"}, {}, "'2.3.2026' is no date; write it as 2026-03-02"),
        ({"crews": []}, {}, "the shift has nobody"),
        ({"days": 9}, {}, "less than or equal to 7"),
        (
            {"crews": [{**_OTHER, "name": "early", "starts_at": "06:00", "ends_at": "14:00", "relieved_by": "late"}, _OTHER]},
            {},
            "crew 'early' ends at '14:00' but 'late', which relieves it, begins at '16:00'",
        ),
        (
            {
                "crews": [
                    {
                        **_OTHER,
                        "name": "early",
                        "starts_at": "06:00",
                        "ends_at": "14:00",
                        "relieved_by": "late",
                        "handover_min": 10,
                    },
                    {**_OTHER, "starts_at": "13:55", "breaks": ["14:00-14:10"]},
                ]
            },
            {},
            "crew 'late': break '14:00-14:10' overlaps the handover 13:55-14:05",
        ),
        ({"tasks": [{"name": "x", "duration_mean_s": 5}]}, {"tasks": []}, "task 'x': give stations .* or station_kinds"),
        (
            {"tasks": [{"name": "x", "stations": ["bnch-1"], "duration_mean_s": 5}]},
            {"tasks": []},
            "task 'x': unknown station 'bnch-1'; did you mean 'bench-1'",
        ),
        (
            {"tasks": [{"name": "Break", "stations": ["desk"], "duration_mean_s": 5}]},
            {"tasks": []},
            "the name means something else",
        ),
        ({"visitors": [{"name": "v", "role": "guest", "groups_per_h": {}}]}, {}, "visitors 'v': unknown role 'guest'"),
        ({"visitors": [{"name": "v", "role": "visitor", "groups_per_h": {"9": -1}}]}, {}, "groups_per_h 09: -1 is outside 0..60"),
    ],
)
def test_slips_in_a_shift_are_answered(shift: dict[str, Any], crew: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        shift_people(shift, crew)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"stations": [{"name": "bench-1", "position_m": (8, 2), "kind": "cell"}]},
            "shift: there is no gate; add a station of kind gate",
        ),
        ({"start": [(3, 3)]}, "start and shift: with a shift people come in through gates"),
        ({"replay": "tracks.csv"}, "replay and shift: recorded people keep their own times"),
    ],
)
def test_a_shift_needs_a_gate_and_goes_with_no_start_or_replay(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        shift_people(**changes)


def test_uniform_durations_cannot_be_negative() -> None:
    with pytest.raises(ValidationError, match="too wide for uniform durations"):
        TaskConfig.model_validate(
            {"name": "x", "stations": ["s"], "duration_mean_s": 5, "duration_cv": 0.8, "distribution": "uniform"}
        )


def test_without_a_shift_roles_need_shares() -> None:
    with pytest.raises(ValidationError, match="roles: 'operator' has no share; give the share of all people"):
        PeopleConfig.model_validate({**shift_section(), "shift": None})


def test_the_example_of_the_documentation_is_valid() -> None:
    page = (Path(__file__).parents[2] / "docs/shifts.md").read_text(encoding="utf-8")
    block = page.split("```yaml\n")[1].split("```")[0]
    config = PeopleConfig.model_validate(YAML(typ="safe", pure=True).load(block)["people"])
    plan = plan_shift(config, np.random.default_rng(0), None)
    assert len(plan.role) > 24
    assert HANDOVER in plan.kind
