"""An evacuation as a shift plan can say it: everybody's shift ends at the alarm, and nobody's begins after it."""

from __future__ import annotations

from factory.study.changes import ChangeError, Draft, Json
from humans.shift_config import DAY_S, clock, seconds_of_day


def evacuate(draft: Draft, alarm_s: int) -> None:
    """End the shift of everybody who is there at the alarm.

    Parameters
    ----------
    draft : a scenario with a shift plan.
    alarm_s : when [s after midnight of the run's first day].

    Raises
    ------
    ChangeError
        Where people come by a file, whose times cannot be changed here, or nobody would have come before the alarm.
    """
    shift = draft.mapping("people", "shift")
    config = draft.scenario.people.shift
    assert config is not None  # by_plan made one
    if config.plan is not None:
        raise ChangeError("people.shift.plan: people of a CSV file cannot be sent out; give the evacuation in the file")
    if config.days > 1:
        raise ChangeError("people.shift.days: an evacuation is of one day; take days: 1")
    end_of_run = seconds_of_day(config.starts_at) + round(draft.scenario.duration_s)
    crews = draft.entries("people", "shift", "crews")
    kept: list[Json] = []
    for crew in crews:
        if crew.get("calendar") is not None:
            raise ChangeError(
                f"crew {crew['name']!r} comes by a calendar, which cannot be changed here; give starts_at and ends_at"
            )
        start, end = seconds_of_day(str(crew["starts_at"])), seconds_of_day(str(crew["ends_at"]))
        if start < alarm_s < end:
            _send_out(crew, start, alarm_s)
        elif start - DAY_S < alarm_s < end - DAY_S:
            if start < end_of_run:
                raise ChangeError(f"crew {crew['name']!r} would come again within the run; end the run before {clock(start)}")
            _send_out(crew, start, alarm_s + DAY_S)
        elif alarm_s <= start < end_of_run:
            continue  # would have come after the alarm
        kept.append(crew)
    if not kept:
        raise ChangeError("nobody comes before the alarm; give a later at_min", "at_min")
    names = {c["name"] for c in kept}
    for crew in kept:
        if crew.get("relieved_by") not in names:
            crew.pop("relieved_by", None)
    shift["crews"] = kept
    if shift.get("visitors"):
        shift["visitors"] = []


def _send_out(crew: Json, start: int, alarm_s: int) -> None:
    """End a crew's shift, and cut or leave out what it would have done after that."""
    crew["ends_at"] = clock(alarm_s)
    crew.pop("relieved_by", None)

    def day(seconds: int) -> int:
        return seconds if seconds >= start else seconds + DAY_S

    planned = []
    for item in crew.get("planned") or []:
        begins, ends = day(seconds_of_day(str(item["starts_at"]))), day(seconds_of_day(str(item["ends_at"])))
        if begins < alarm_s:
            planned.append(item if ends <= alarm_s else item | {"ends_at": clock(alarm_s)})
    if crew.get("planned"):
        crew["planned"] = planned
    breaks = []
    groups = int(crew.get("break_groups") or 1)
    for text in crew.get("breaks") or []:
        a, b = (day(seconds_of_day(part)) for part in str(text).split("-"))
        if a + groups * (b - a) <= alarm_s:
            breaks.append(text)
        elif groups == 1 and a < alarm_s:
            breaks.append(f"{clock(a)}-{clock(alarm_s)}")
    if crew.get("breaks"):
        crew["breaks"] = breaks
