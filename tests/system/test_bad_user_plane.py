"""Services, carriers and slices that cannot be: one message with its place in the file."""

import re
from pathlib import Path

import pytest

from factory.errors import ScenarioError
from factory.scenario import load_scenario, shipped_scenario

SMALL = shipped_scenario("small").read_text()
CONTROL, PRBS = "profile: mobile-robot, devices: agv", "resource_blocks: 32"


def slices(*rows: str) -> tuple[str, str]:
    listed = "".join(f"    - {{{row}}}\n" for row in rows)
    return "radio:\n", f"radio:\n  slices:\n{listed}"


CASES = {
    "latency that the numerology cannot": (
        (CONTROL, CONTROL + ", max_latency_us: 300"),
        "max_latency_us: 300",
        r"radio\.services\[0\]\.max_latency_us.*300.*at 120 kHz .*takes at least \d+ us .*allow at least \d+ us",
    ),
    "profile that the core is too far for": (
        (CONTROL, "profile: motion-control-a, devices: agv"),
        "motion-control-a",
        r"radio\.services\[0\]\.profile.*500 us of it in the core",
    ),
    "zero bandwidth": (("bandwidth_hz: 50e6", "bandwidth_hz: 0"), "bandwidth_hz: 0", r"carrier\.bandwidth_hz: 0: .*5000000"),
    "capability 2 at 120 kHz": (
        (PRBS, PRBS + ", processing_capability: 2"),
        "processing_capability",
        r"processing_capability 2 does not exist at 120 kHz",
    ),
    "TDD pattern of unknown letters": (
        (PRBS, PRBS + ", tdd_pattern: DDXU"),
        "tdd_pattern",
        r"tdd_pattern 'DDXU': use the letters D, S and U",
    ),
    "share above 100 %": (
        slices("name: a, services: [agv-control], guaranteed_share: 1.2"),
        "guaranteed_share: 1.2",
        r"slices\[0\]\.guaranteed_share: 1\.2: .*less than or equal to 1",
    ),
    "shares above 100 % together": (
        slices("name: a, services: [agv-control], guaranteed_share: 0.8", "name: b, services: [agv-video], dedicated_share: 0.4"),
        "radio:",
        r"slices: guaranteed shares, dedicated ones included, add up to 1\.2",
    ),
    "service in two slices": (
        slices("name: a, services: [agv-video]", "name: b, services: [agv-video]"),
        "radio:",
        r"service 'agv-video' is in 'a' and in 'b'",
    ),
    "copies on one carrier": (
        ("radio:\n", "radio:\n  link_adaptation: {redundancy: pdcp_duplication}\n"),
        "radio:",
        r"copies are never on the same one",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_the_user_plane_cannot_do_is_named_with_its_place(case: str, tmp_path: Path) -> None:
    (old, new), line, message = CASES[case]
    assert old in SMALL
    file = tmp_path / "hall.yaml"
    file.write_text(SMALL.replace(old, new, 1))
    with pytest.raises(ScenarioError) as caught:
        load_scenario(str(file))
    text = str(caught.value)
    place = re.search(r"hall\.yaml:(\d+):(\d+): ", text)
    assert place, text
    wanted = next(i for i, row in enumerate(file.read_text().splitlines(), 1) if line in row)
    assert wanted <= int(place.group(1)) <= wanted + 2, text  # the key itself, or the next ones where a whole section is at fault
    assert re.search(message, text), text
