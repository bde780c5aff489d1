"""The command: what it takes, what it refuses, and what it writes."""

import dataclasses
import json
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from outage_halls import SOUTH, WEST, hall, record, standing_at
from typer.testing import CliRunner

from factory.cli import app, main
from factory.errors import UserError
from factory.explain_command import explain_command, parse_time
from factory.explain_run import Facts, Step
from factory.explain_words import tell
from factory.record_columns import DEVICE_COLUMNS, LOSS_COLUMNS
from factory.run_folder import Run

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """Return a run in which the person stands in the path of the acting policy, and of the one beside it."""
    radio = {"policy": "static", "compare": ["static", "reactive"], "trps": [WEST, SOUTH]}
    return record(tmp_path_factory.mktemp("blocked"), hall(people=standing_at(6.0, 4.0), radio=radio), 1.0).run.path


@pytest.fixture(scope="module")
def quiet(tmp_path_factory) -> Path:
    """Return a run in which nothing was lost."""
    return record(tmp_path_factory.mktemp("quiet"), hall(), 0.3).run.path


@pytest.fixture(scope="module")
def old(run, tmp_path_factory) -> Path:
    """Return the same run as a version recorded it that kept less of each loss."""
    folder = tmp_path_factory.mktemp("old") / "run"
    shutil.copytree(run, folder)
    for file, columns in ((folder / "events.parquet", LOSS_COLUMNS), (folder / "ticks" / "part-0000.parquet", DEVICE_COLUMNS)):
        pq.write_table(pq.read_table(file).drop_columns(list(columns)), file)
    cases = json.loads((folder / "blocked_paths.json").read_text())
    (folder / "blocked_paths.json").write_text(json.dumps({"cases": cases["cases"]}))
    return folder


def test_the_worst_outage_is_told_with_its_picture_and_facts(run, tmp_path):
    story = explain_command(run, plot=tmp_path / "o.svg", json_file=tmp_path / "o.json")
    assert "stood in the path of west" in " ".join(story.split())
    facts = json.loads((tmp_path / "o.json").read_text())
    assert facts["cause"] == "body"
    assert facts["saving"][0]["kind"] == "other_trp"
    assert sum(row["share_percent"] for row in facts["causes_of_the_run"]) == pytest.approx(100.0)
    root = ElementTree.parse(tmp_path / "o.svg").getroot()
    assert root.tag.endswith("svg")
    words = "".join(root.itertext())
    for word in ("SINR [dB]", "x [m]", "lost message", facts["blocker"], "service down", "west", "needed by a message"):
        assert word in words
    # the same run gives the same picture
    explain_command(run, plot=tmp_path / "again.svg")
    assert (tmp_path / "o.svg").read_bytes() == (tmp_path / "again.svg").read_bytes()


def test_an_old_run_is_told_with_less(old, run, tmp_path):
    story = explain_command(old, plot=tmp_path / "o.svg")
    assert "kept less of each loss" in " ".join(story.split())
    assert "stood in the path of west" in " ".join(story.split())
    assert "direct, 10.7 m long" in story
    assert "It reckoned" not in story
    assert "It reckoned" in explain_command(run)


def test_a_run_that_was_broken_off_is_told(run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    (folder / "kpi.json").unlink()
    info = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(info | {"state": "interrupted"}))
    assert explain_command(folder) == explain_command(run)


def test_another_policy_is_told_without_what_only_the_acting_one_records(run, tmp_path):
    story = explain_command(run, policy="reactive", plot=tmp_path / "o.svg")
    assert "(reactive)" in story
    assert "beam failure" not in story
    assert "protective stop" not in story.replace("no protective stop", "")


def test_a_time_picks_the_outage_and_says_how_far_away_it_is(run):
    assert explain_command(run, at="0.5", device="cobot-1", service="cobot-control").startswith("00:00.0")
    assert not explain_command(run, at="00:01").startswith("Nothing")


def test_nothing_lost_is_an_answer(quiet, run):
    assert explain_command(quiet).startswith("Nothing was lost under static")
    result = CliRunner().invoke(app, ["explain", str(quiet)])
    assert result.exit_code == 0
    assert "there is nothing to explain" in result.output


def test_an_unknown_device_is_told_which_there_are(run):
    with pytest.raises(UserError, match=r"--device agv-07: the run has no such device; it has cobot-1"):
        explain_command(run, device="agv-07")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"service": "video"}, r"--service video: the run has no such service; it has cobot-control"),
        ({"policy": "oracle"}, r"--policy oracle: the run has no such policy; it has static, reactive"),
        ({"at": "noon"}, r"--at 'noon' is no time; give HH:MM:SS, MM:SS or seconds"),
        ({"at": "00:75"}, r"--at '00:75' is no time"),
        ({"at": "03:12"}, r"--at 03:12 lies outside the run, which is 1 s long; give 00:00 to 00:01.0"),
        ({"plot": Path("picture.png")}, r"--plot picture.png: the picture is an SVG file"),
        ({"json_file": Path("/no/such/folder/o.json")}, r"/no/such/folder does not exist"),
    ],
)
def test_wrong_input_says_what_would_be_right(run, arguments, message):
    with pytest.raises(UserError, match=message):
        explain_command(run, **arguments)


def test_wrong_input_ends_with_code_2(run, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["factory-twin", "explain", str(run), "--device", "agv-07"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "it has cobot-1" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no run\.json"):
        explain_command(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        explain_command(tmp_path / "nowhere")


def test_nothing_is_written_where_something_is_wrong(run, tmp_path):
    with pytest.raises(UserError):
        explain_command(run, device="agv-07", plot=tmp_path / "o.svg", json_file=tmp_path / "o.json")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "length_s", "starts_at_s", "wanted_s"),
    [
        ("192.5", 600, None, 192.5),
        ("03:12", 600, None, 192),
        ("01:00:05", 4000, None, 3605),
        ("10:32:05", 8 * 3600, 6 * 3600, 4 * 3600 + 32 * 60 + 5),  # a time of day, where the shift begins at one
        ("02:00:00", 8 * 3600, 6 * 3600, 7200),  # no time of this shift, so it is the time since its start
        ("00:10:00", 8 * 3600, 22 * 3600, 2 * 3600 + 600),  # after midnight
    ],
)
def test_times_are_read(text, length_s, starts_at_s, wanted_s):
    assert parse_time(text, length_s, starts_at_s) == round(wanted_s * 1e6)


def test_a_time_of_day_outside_the_shift_names_its_beginning():
    with pytest.raises(UserError, match="a time of day from 06:00:00 on"):
        parse_time("23:00:00", 8 * 3600.0, 6 * 3600)


def test_what_other_policies_and_failures_add_is_told(run):
    """A forecast, a second leg that was prepared, and a transmission point out of service."""
    facts = Facts(Run(run))
    outage = facts.outage(facts.spells.iloc[0])
    step = Step(-0.4, "second_leg", "south", 7, "prepared")
    down = Step(-0.1, "trp_down", "west", -1, "")
    knew = dataclasses.replace(outage.knew, forecast_db=3.0, foreseen_s=0.4)
    story = tell(
        dataclasses.replace(outage, policy="human_aware", cause="trp_down", knew=knew, done=(step, down)),
        facts.causes("static"),
        True,
    )
    words = " ".join(story.split())
    assert "west was out of service and the device still on it" in words
    assert "the forecast promised 3.0 dB; it had foreseen a risk and prepared a second leg 400 ms before" in words
    assert "-400 ms second leg south beam 7 prepared" in words
    assert "-100 ms west out of service" in words
    unseen = tell(dataclasses.replace(outage, policy="human_aware"), facts.causes("static"), True)
    assert "no second leg had been prepared in the 2 s before" in " ".join(unseen.split())
