"""The tutorial prints what it says it prints; the cookbook's files load, and its commands and plots are there."""

from __future__ import annotations

import itertools
import os
import re
import shlex
from pathlib import Path

import pytest
from follow_tutorial import follow, missing, steps

from factory.scenario import load_text
from factory.study.variants import Base, VariantsFile
from factory.study.whatif_command import seeds_of

DOCS = Path(__file__).parents[2] / "docs"
RECIPES = sorted((DOCS / "cookbook").glob("*.yaml"))
PLOT_BYTES_MAX = 150_000


@pytest.mark.system
def test_the_quick_part_of_the_tutorial_gives_its_figures(tmp_path):
    assert not follow(DOCS / "tutorial.md", tmp_path, quick=True, environment=dict(os.environ))


def test_the_tutorial_is_held_to_its_slow_figures_too():
    told = steps((DOCS / "tutorial.md").read_text(encoding="utf-8"))
    slow = [s for s in told if s.slow and s.expected]
    assert {re.findall(r"factory-twin (\w+)", s.commands)[0] for s in slow} == {"whatif", "compare", "check"}


def test_a_figure_that_differs_is_told_with_its_line(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n```sh\necho one; echo two\n```\n\n```text\none\n...\n2\n```\n\n```sh\nexit 3\n```\n")
    first, second = follow(page, tmp_path, quick=False, environment=dict(os.environ))
    assert first.startswith("line 3: the page says\n  2\nbut it printed\none\ntwo")
    assert second.startswith("line 13: exit code 3")


@pytest.mark.parametrize(
    ("expected", "lacking"),
    [(("a", "c"), None), (("c", "a"), "a"), (("a", "a"), "a"), (("b",), "b"), ((), None)],
)
def test_lines_are_found_in_their_order(expected, lacking):
    assert missing(expected, "a\n  b\nc  \n") == lacking


def test_output_without_commands_is_refused():
    with pytest.raises(ValueError, match="line 4: output without commands"):
        steps("```sh\nls\n```\n```text slow\nx\n```\n")


@pytest.mark.parametrize("file", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_loads_and_is_told_with_its_command_and_plot(file):
    first = file.read_text(encoding="utf-8").splitlines()[0]
    command = first.removeprefix("# ")
    page = (DOCS / "cookbook.md").read_text(encoding="utf-8")
    assert command in page.replace(".venv/bin/", "")
    assert f"(cookbook/{file.stem}.svg)" in page
    assert 1000 < (DOCS / "cookbook" / f"{file.stem}.svg").stat().st_size < PLOT_BYTES_MAX

    words = shlex.split(command)
    assert words[:2] == ["factory-twin", "whatif"]
    assert words[3] == f"docs/cookbook/{file.name}"
    assert len(seeds_of(words[words.index("--seeds") + 1])) >= 8
    fixes = tuple(value for word, value in itertools.pairwise(words) if word == "--fix")
    base = Base.load(words[2], fixes)
    variants, same = VariantsFile.read(file).variants(base)
    assert variants
    assert not same
    for variant in variants:
        assert load_text(base.text, base.path, variant.overrides).scenario != base.scenario


def test_there_are_ten_recipes_and_no_link_of_the_pages_leads_nowhere():
    assert len(RECIPES) == 10
    for page in ("tutorial.md", "cookbook.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", (DOCS / page).read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (DOCS / target).is_file(), f"{page}: {target}"
