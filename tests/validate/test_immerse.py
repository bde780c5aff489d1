"""The IMMERSE comparison: how traces are read, how ours are made, and that what is kept of the recordings is what they give."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp

from factory.validate import immerse
from factory.validate.immerse import HALVES, MODES, SUMMARY_FILE, kolmogorov, measured, share_below, summarise, summary_of
from factory.validate.immerse_fit import AGV_RANGES, RANGES, evolve, misfit
from factory.validate.immerse_model import (
    FITTED,
    FREQUENCY_HZ,
    GRID_SAMPLES,
    SHADOW_STEPS,
    STEADY_STEPS,
    crossing_field,
    report,
    traces,
)
from factory.validate.immerse_traces import Trace, entry_and_exit, halves, read_traces, recorded_file, shadows
from factory.validate.links import direct_paths


def trace(*pieces: tuple[int, float], samples: int, run: int = 0) -> Trace:
    start, level = zip(*pieces, strict=True)
    return Trace(run, "UE_A", np.array(start), np.array(level, dtype=float), samples)


DIP = trace((0, -67), (100, -66), (150, -67), (1000, -74), (1030, -88), (1090, -86), (1110, -79), (1150, -67), samples=2000)


def test_a_shadow_is_measured_as_by_hand():
    seen = shadows([DIP])
    assert seen.depth_db[0] == 21.0
    assert seen.below5[0] == 150.0
    assert seen.below10[0] == 120.0
    assert seen.fall[0] == 30.0  # 90 % of 21 dB is reached at 1030
    assert seen.rise[0] == 40.0  # 19 dB, at 1090 to 1110, is the last of it


def test_the_clear_level_survives_a_shadow_of_half_the_trace():
    seen = shadows([trace((0, -67), (800, -90), (1900, -67), samples=2000)])
    assert seen.depth_db[0] == 23.0
    assert seen.below5[0] == 1100.0


def test_a_clear_trace_has_neither_fall_nor_rise():
    seen = shadows([trace((0, -67), (1500, -68), samples=2000), DIP])
    assert seen.depth_db.tolist() == [1.0, 21.0]
    assert np.isnan(seen.fall).tolist() == [True, False]


def test_mean_entry_and_exit_lie_at_the_shadows_ends():
    entry, leave = entry_and_exit([DIP])
    assert len(entry) == len(leave) == 25
    assert entry[:6].tolist() == [0, 0, 0, 0, 0, 7]
    assert leave[:6].tolist() == [0, 0, 0, 0, 0, 12]


def test_halves_share_no_run():
    runs = [replace(DIP, run=2 * k) for k in range(6) for _ in range(3)]
    fitted, held = halves(runs)
    assert {t.run for t in fitted} == {0, 4, 8}
    assert {t.run for t in held} == {2, 6, 10}
    assert len(fitted) == len(held) == 9


def test_recordings_are_read_piece_by_piece(tmp_path):
    path = tmp_path / "set.csv"
    path.write_text("mode,run,ue,metric,n_samples,rle\nlos,4,UE_B,5G_drx_rsrp,900,0:-67 135:-66 231:-68\n")
    (read,) = read_traces(path, "los")
    assert (read.run, read.ue, read.samples) == (4, "UE_B", 900)
    assert read.length.tolist() == [135, 96, 669]
    assert read.level_db.tolist() == [-67.0, -66.0, -68.0]
    with pytest.raises(ValueError, match="no 5G_drx_rsrp of agv_track1; it holds the modes los"):
        read_traces(path, "agv_track1")


def test_a_modem_reports_whole_db_on_its_grid_and_sooner_in_a_shadow():
    rng = np.random.default_rng(5)
    for level, steps in ((0.0, STEADY_STEPS), (-20.0, SHADOW_STEPS)):
        made = report(np.full(200_000, level), 3, rng)
        gaps = np.diff(made.start) / GRID_SAMPLES
        assert np.abs(gaps - np.round(gaps)).max() < 0.06  # to the sample
        share = np.bincount(np.round(gaps).astype(int), minlength=9)[1:] / len(gaps)
        assert share == pytest.approx(np.array(steps) / sum(steps), abs=0.01)
        assert (made.level_db == np.round(made.level_db)).all()
        assert made.level_db.std() == pytest.approx(0.47, abs=0.02)  # as the recordings without anybody vary
    assert made.run == 3


def test_instants_of_one_run_do_not_shadow_each_other():
    time_s = np.arange(-0.5, 0.5, 0.02)
    together = crossing_field(FITTED, "pedestrian", "1", time_s, np.random.default_rng(8), "silhouette")
    alone = [
        crossing_field(FITTED, "pedestrian", "1", time_s[k : k + 1], np.random.default_rng(8), "silhouette")[0]
        for k in (0, 22, 25, 31)
    ]
    assert together[[0, 22, 25, 31]] == pytest.approx(np.array(alone), abs=1e-6)
    assert np.abs(together).min() < 0.5


@pytest.mark.parametrize("mode", MODES)
def test_runs_are_the_same_for_the_same_seed_and_hold_one_shadow(mode):
    one, two, other = (traces(FITTED, mode, 12, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all((a.start == b.start).all() and (a.level_db == b.level_db).all() for a, b in zip(one, two, strict=True))
    assert any(len(a.start) != len(b.start) or (a.start != b.start).any() for a, b in zip(one, other, strict=True))
    assert np.median(shadows(one).depth_db) > 5.0


def test_faster_walks_make_shorter_shadows_and_stronger_remainders_shallower_ones():
    def seen(**changes: float):
        return shadows(traces(replace(FITTED, **changes), "pedestrian_track1", 60, np.random.default_rng(3)))

    assert seen(speed_mps=0.8).below5.mean() > 1.4 * seen(speed_mps=1.6).below5.mean()
    assert seen(remainder_db=10.0).depth_db.mean() < seen(remainder_db=40.0).depth_db.mean() - 2.5


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="mode 'pedestrian_track3': give pedestrian_track1"):
        traces(FITTED, "pedestrian_track3", 1, np.random.default_rng(0))


def test_kolmogorov_distance_is_that_of_the_samples():
    rng = np.random.default_rng(2)
    a, b = rng.poisson(12.0, 70), rng.poisson(14.0, 500)
    assert kolmogorov(tuple(np.bincount(a)), tuple(np.bincount(b))) == pytest.approx(ks_2samp(a, b).statistic, abs=1e-12)
    assert kolmogorov((3, 4), (3, 4)) == 0.0
    assert kolmogorov((3,), (0, 5)) == 1.0
    assert share_below((1, 1, 2)).tolist() == [0.25, 0.5, 1.0]


def test_evolution_finds_the_bottom_of_a_valley():
    best, cost = evolve(
        lambda p: float((p[0] - 0.3) ** 2 + 10 * (p[1] - p[0] ** 2) ** 2), [(-1, 1), (-1, 1)], np.random.default_rng(4), 40
    )
    assert best == pytest.approx([0.3, 0.09], abs=0.02)
    assert cost < 1e-4


def test_the_fitted_site_lies_inside_its_ranges_and_fits_better_than_their_middles():
    everything = {**RANGES, **AGV_RANGES}
    assert all(low <= getattr(FITTED, name) <= high for name, (low, high) in everything.items())
    middle = replace(FITTED, **{name: 0.5 * (low + high) for name, (low, high) in RANGES.items()})
    targets = {mode: shadows(traces(FITTED, mode, 60, np.random.default_rng(77))) for mode in MODES[:2]}
    assert misfit(FITTED, targets) < 0.3 * misfit(middle, targets)


def test_direct_paths_are_free_space():
    paths = direct_paths([[0, 0, 1], [0, 50, 2]], [[10, 0, 1], [0, 80, 2]], FREQUENCY_HZ)
    assert paths.length_m.tolist() == [10.0, 30.0]
    assert -20 * np.log10(np.abs(paths.amplitude)) == pytest.approx([81.08, 90.62], abs=0.01)  # ITU-R P.525
    assert paths.arrival == pytest.approx(-paths.departure)


def test_what_is_kept_of_the_recordings_hangs_together():
    for (mode, half), summary in measured().items():
        assert half in HALVES
        assert mode in MODES
        assert sum(summary.depth_counts) == sum(summary.below5_counts) == summary.n >= 50
        mean = np.average(np.arange(len(summary.depth_counts)), weights=summary.depth_counts)
        assert mean == pytest.approx(summary.depth_mean_db, abs=0.01)


@pytest.mark.recorded
def test_what_is_kept_of_the_recordings_is_what_they_give():
    path = recorded_file()
    if path is None:
        pytest.skip("no recordings; set FACTORY_TWIN_SHARED to the folder that holds radio/immerse_rsrp_rle.csv")
    assert json.loads(json.dumps(summary_of(path))) == json.loads(SUMMARY_FILE.read_text(encoding="utf-8"))


def test_a_refresh_without_recordings_changes_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("FACTORY_TWIN_SHARED", str(tmp_path))
    before = SUMMARY_FILE.read_bytes()
    assert immerse.refresh() is False
    assert SUMMARY_FILE.read_bytes() == before


def test_a_refresh_with_recordings_keeps_their_summary(monkeypatch, tmp_path):
    (tmp_path / "radio").mkdir()
    lines = ["mode,run,ue,metric,n_samples,rle"]
    pieces = " ".join(f"{start}:{level:.0f}" for start, level in zip(DIP.start, DIP.level_db, strict=True))
    lines += [f"{mode},{run},UE_A,5G_drx_rsrp,2000,{pieces}" for mode in MODES for run in (0, 2)]
    (tmp_path / "radio" / "immerse_rsrp_rle.csv").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("FACTORY_TWIN_SHARED", str(tmp_path))
    monkeypatch.setattr(immerse, "SUMMARY_FILE", tmp_path / "kept.json")
    try:
        assert immerse.refresh() is True
        assert measured()["agv_track2", "held out"] == summarise((DIP,))
    finally:
        measured.cache_clear()
