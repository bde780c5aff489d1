"""Overrides reach the value they name, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from factory.scenario import format_key, load_scenario, parse_key


def test_override_of_a_list_entry() -> None:
    loaded = load_scenario("small", ["radio.trps[1].position_m=[29, 3, 3]", "people.count=9", "radio.policy=human_aware"])
    assert loaded.scenario.radio.trps[1].position_m == (29.0, 3.0, 3.0)
    assert loaded.scenario.people.count == 9
    assert loaded.scenario.radio.policies[0] == "human_aware"


def test_content_hash_ignores_how_it_was_written() -> None:
    assert load_scenario("small", ["seed=1"]).sha256 == load_scenario("small").sha256
    assert load_scenario("small", ["seed=2"]).sha256 != load_scenario("small").sha256


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.lists(st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), min_size=1, max_size=5), st.integers(0, 99))
def test_key_survives_the_round_trip(words: list[str], index: int) -> None:
    loc = (*words, index)
    assert parse_key(format_key(loc)) == loc


@pytest.mark.parametrize("key", ["", "a..b", "a[x]", "1a", "a.b["])
def test_malformed_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is no key"):
        parse_key(key)
