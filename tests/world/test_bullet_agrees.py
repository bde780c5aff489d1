"""Bullet's rays and the radio's screens agree about who stands in a link, and every disagreement has its reason."""

from collections import Counter

import numpy as np
import pytest
from agreement import Link, explain_large_loss, explain_small_loss, links_of_scene

from humans.types import PeopleState
from radio.types import Blockers

SCENES = 40


@pytest.fixture(scope="module")
def scenes() -> list[tuple[PeopleState, Blockers, list[Link]]]:
    return [links_of_scene(scene, seed=7) for scene in range(SCENES)]


def test_bullet_hits_exactly_what_the_capsules_cross(scenes):
    # two ways to the same answer: Bullet's ray test, and the distance between segments in robots.safety
    for _, _, links in scenes:
        for link in links:
            if link.hit:
                assert link.clearance_fresnel < 0.01, link  # Bullet rounds a grazing ray by about a millimetre
            else:
                assert link.clearance_fresnel > -0.01, link


def test_a_blocked_ray_loses_six_decibels_or_has_a_reason(scenes):
    reasons: Counter[str] = Counter()
    agree = 0
    for _, blockers, links in scenes:
        for link in links:
            if link.hit and link.loss_db >= 6.0:
                agree += 1
            elif link.hit:
                reason = explain_small_loss(blockers, link)
                assert reason, f"unexplained: {link}"
                reasons[reason] += 1
    print(f"blocked: {agree} of {agree + reasons.total()} lose 6 dB or more; others: {dict(reasons)}")
    assert agree + reasons.total() >= 100  # enough rays meet a body
    assert agree >= 0.65 * (agree + reasons.total())
    limbs = sum(n for reason, n in reasons.items() if reason.startswith("a limb alone"))
    edges = reasons["near the trunk screen's edge"]
    assert limbs + edges >= 0.85 * reasons.total()  # thin limbs and soft edges, not missing bodies


def test_a_clear_ray_loses_less_than_a_decibel_or_has_a_reason(scenes):
    reasons: Counter[str] = Counter()
    agree = 0
    for _, blockers, links in scenes:
        for link in links:
            if link.hit or link.clearance_fresnel <= 1.0:
                continue
            if link.loss_db < 1.0:
                agree += 1
                continue
            reason = explain_large_loss(blockers, link)
            assert reason, f"unexplained: {link}"
            assert link.loss_db < 6.0, link  # a screen's rim, never a body that is not there
            reasons[reason] += 1
    print(f"clear: {agree} of {agree + reasons.total()} lose less than 1 dB; others: {dict(reasons)}")
    assert agree + reasons.total() >= 1000
    assert agree >= 0.99 * (agree + reasons.total())


def test_the_person_whom_bullet_hits_is_the_one_whom_the_radio_blames(scenes):
    blamed = [link.worst_owner == link.person for _, _, links in scenes for link in links if link.hit and link.loss_db >= 6.0]
    assert len(blamed) >= 80
    assert np.mean(blamed) >= 0.9  # the others have a second body on the ray that costs more
