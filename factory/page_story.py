"""The story of an outage for the page: what ``factory-twin explain`` tells, without people for those who may not see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bridges.page.story import Story
from factory.explain import CAUSE_WORDS, worst_spell
from factory.explain_run import Facts, Outage
from factory.explain_words import headline, sections

__all__ = ["is_person", "tell_spell", "worst_between"]

_SOMEBODY = "a person"


def tell_spell(facts: Facts, spell: pd.Series, see_people: bool) -> Story:
    """Tell a spell of losses.

    Parameters
    ----------
    facts : what the run holds. spell : a row of its spells.
    see_people : False leaves out who it was, their role and where they stood; of a panel, which a person carries, only the zone
        stays.
    """
    outage = facts.outage(spell)
    if not see_people:
        outage = _without_people(facts, outage)
    noun = "video frame" if outage.video else "message"
    causes = facts.causes(outage.policy)
    return Story(
        title=headline(outage, noun),
        sections=tuple((head, text) for head, text in sections(outage, facts.detailed, noun) if text),
        device=outage.device,
        service=outage.service,
        trp=outage.trp,
        start_us=outage.start_us,
        end_us=outage.end_us,
        causes=tuple(
            (CAUSE_WORDS.get(str(r["cause"]), str(r["cause"]) or "unknown"), int(r["messages"]), float(r["share_percent"]))
            for _, r in causes.iterrows()
        ),
    )


def worst_between(facts: Facts, service: str, start_us: int, end_us: int | None) -> pd.Series | None:
    """Return the spell that cost a service most between two times [us], None where none was recorded.

    Parameters
    ----------
    end_us : None for up to now.
    """
    spells, resolved = facts.spells, facts.services.get(service)
    # the losses that put a service down begin a survival time before it counts as down
    slack_us = 0 if resolved is None else resolved.survival_us + 2 * resolved.interval_us
    near = (spells["service"] == service) & (spells["policy"] == facts.acting) & (spells["end_us"] >= start_us - slack_us)
    if end_us is not None:
        near &= spells["start_us"] <= end_us
    return worst_spell(spells[near], facts.acting)


def is_person(blocker: str, devices: Sequence[str]) -> bool:
    """Tell whether a blocker is a person rather than a machine."""
    return bool(blocker) and blocker not in devices


def _without_people(facts: Facts, outage: Outage) -> Outage:
    if is_person(outage.blocker, facts.devices):
        outage = replace(outage, blocker=_SOMEBODY, role="", part="", blocker_m=None)
        # the words of a step may name who came close
        outage = replace(outage, done=tuple(replace(s, detail="") if s.kind in _OF_BODIES else s for s in outage.done))
    if outage.device.startswith("panel"):
        x_m, y_m, _ = outage.position_m
        zone = next(
            (
                str(z["name"])
                for z in facts.scenario["hall"].get("zones") or ()
                if z["x_m"][0] <= x_m < z["x_m"][1] and z["y_m"][0] <= y_m < z["y_m"][1]
            ),
            "the hall",
        )
        outage = replace(outage, place=zone, position_m=(np.nan, np.nan, np.nan), link=None, in_between=())
    return outage


_OF_BODIES = frozenset({"protective_stop", "restart"})
