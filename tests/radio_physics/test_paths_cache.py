"""The cache of visible reflections leaves no trace in the paths, and what cannot be computed is refused."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from radio_scenes import assembly_hall, free_points, mixed_hall

from radio.propagation import visibility
from radio.propagation.geometry import Hall, prepare_hall
from radio.propagation.paths import PathFinder, compute_paths
from radio.types import Paths

TRP_M = np.array([[15, 33, 7.5], [45, 33, 7.5], [1.0, 10, 3], [59, 14, 3]])


def identical(a: Paths, b: Paths) -> None:
    for field in fields(Paths):
        np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name), err_msg=field.name)


def test_history_leaves_no_trace():
    """A finder that has followed a walk, with some UEs standing still, finds bit for bit what a new one finds."""
    rng = np.random.default_rng(5)
    hall = assembly_hall()
    prepared = prepare_hall(hall, 28e9)
    walked = PathFinder(prepared, TRP_M)
    place = free_points(rng, hall, 8, 0.5, 1.6)
    for step in range(30):
        moves = np.arange(8) >= 3
        place = np.where(moves[:, None], place + rng.normal(0, 0.3, (8, 3)) * [1, 1, 0.1], place)
        found = walked.find(place)
        if step % 5 == 0:
            identical(found, compute_paths(prepared, TRP_M, place, 12, 40.0))
    identical(walked.find(place[::-1]), compute_paths(prepared, TRP_M, place[::-1], 12, 40.0))
    identical(walked.find(place[:2]), compute_paths(prepared, TRP_M, place[:2], 12, 40.0))
    walked.visibility.forget()
    identical(walked.find(place), compute_paths(prepared, TRP_M, place, 12, 40.0))


def of_link(paths, link):
    rows = slice(paths.offset[link], paths.offset[link + 1])
    return [
        getattr(paths, f.name)[rows].tobytes() for f in fields(Paths) if f.name not in ("n_ue", "n_trp", "wavelength_m", "offset")
    ]


@pytest.mark.parametrize("seed", range(3))
def test_links_that_are_not_needed_keep_their_paths_until_they_are(seed):
    """Every link has, bit for bit, the paths of the last place at which they were asked for."""
    rng = np.random.default_rng(seed)
    hall = assembly_hall()
    prepared = prepare_hall(hall, 28e9)
    finder = PathFinder(prepared, TRP_M)
    place = free_points(rng, hall, 6, 0.5, 1.6)
    asked = np.repeat(place, 4, axis=0)  # of each link, where its UE stood
    finder.find(place)
    kept = 0
    for step in range(20):
        place = np.where(rng.random((6, 1)) < 0.6, place + rng.normal(0, 0.3, (6, 3)) * [1, 1, 0.1], place)
        needed = None if step % 5 == 4 else rng.random(24) < 0.4
        asked = np.where(np.ones((24, 1), bool) if needed is None else needed[:, None], np.repeat(place, 4, axis=0), asked)
        found = finder.find(place, needed)
        for link in range(24):
            alone = compute_paths(prepared, TRP_M, asked[link], 12, 40.0)
            assert of_link(found, link) == of_link(alone, link % 4)
            kept += not np.array_equal(asked[link], place[link // 4])
    assert kept > 50
    # A UE that was not there at the last call has nothing to keep.
    more = np.concatenate((place, free_points(rng, hall, 2, 0.5, 1.6)))
    found = finder.find(more, np.zeros(32, bool))
    assert of_link(found, 29) == of_link(compute_paths(prepared, TRP_M, more[7], 12, 40.0), 1)
    with pytest.raises(ValueError, match=r"needed has shape \(24,\), wanted \(32,\)"):
        finder.find(more, np.zeros(24, bool))


def test_a_glance_ahead_is_forgotten():
    rng = np.random.default_rng(3)
    hall = assembly_hall()
    finder = PathFinder(prepare_hall(hall, 28e9), TRP_M)
    place = free_points(rng, hall, 5, 0.5, 1.6)
    here = finder.find(place)
    ahead = finder.find(place + np.array([0.5, 0.0, 0.0]), remember=False)
    assert not np.array_equal(ahead.length_m, here.length_m)
    identical(finder.find(place + 0.1, np.zeros(20, bool)), here)


@settings(deadline=None, max_examples=25, derandomize=True)
@given(st.integers(0, 2**31), st.integers(0, 10), st.sampled_from([(400, 200.0), (12, 40.0), (3, 15.0)]))
def test_the_size_of_the_cells_does_not_matter(seed, n_boxes, limits):
    """With the whole hall as one cell hardly anything can be dropped beforehand; with small cells almost everything is."""
    rng = np.random.default_rng(seed)
    hall = mixed_hall(rng, n_boxes)
    prepared = prepare_hall(hall, 28e9)
    trp, ue = free_points(rng, hall, 2), free_points(rng, hall, 12)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for cell_m in ((100.0, 100.0, 100.0), (5.0, 3.0, 2.0), (0.3, 0.4, 0.2)):
            patch.setattr(visibility, "CELL_M", cell_m)
            found.append(compute_paths(prepared, trp, ue, *limits))
    identical(found[0], found[1])
    identical(found[0], found[2])


def test_small_cells_keep_few_candidates():
    rng = np.random.default_rng(9)
    hall = assembly_hall()
    finder = PathFinder(prepare_hall(hall, 28e9), TRP_M)
    finder.find(free_points(rng, hall, 40, 0.5, 1.6))
    per_link = len(finder.visibility.sequence[: finder.visibility.start.max()]) / (finder.visibility.slot.max() + 1) / 4
    every = np.diff(finder.visibility.sequences.first).mean()
    assert per_link < 0.1 * every


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(visibility, "MOST_KEPT", 500)
    rng = np.random.default_rng(9)
    hall = assembly_hall()
    prepared = prepare_hall(hall, 28e9)
    finder = PathFinder(prepared, TRP_M)
    for _ in range(10):
        # the first two UEs stay in cells that are known when the others make the cache overflow
        known = np.array([[30.2, 3.2, 1.2], [10.3, 20.2, 1.1]]) + rng.uniform(0, 0.1, (2, 3))
        place = np.concatenate((known, free_points(rng, hall, 4, 0.5, 1.6)))
        found = finder.find(place)
        assert (np.diff(found.offset).reshape(6, 4)[:2] > 0).all()
        identical(found, compute_paths(prepared, TRP_M, place, 12, 40.0))


def test_on_the_halls_faces_and_cell_borders_paths_are_found():
    prepared = prepare_hall(Hall.empty((20, 10, 6)), 28e9)
    trp = np.array([[5.0, 5, 5]])
    for place in ([20.0, 10, 6], [0.0, 0, 0], [7.0, 3.0, 1.0], [20.0, 3, 1]):
        paths = compute_paths(prepared, trp, np.array([place]), 12, 100.0)
        assert 0 in paths.order
        np.testing.assert_array_equal(paths.vertex_m[:, 3], np.tile(place, (len(paths.order), 1)))


def test_a_ue_at_a_trp_has_no_path_to_it_but_to_the_others():
    prepared = prepare_hall(Hall.empty((20, 10, 6)), 28e9)
    trp = np.array([[5.0, 5, 5], [15, 5, 5]])
    paths = compute_paths(prepared, trp, np.array([[5.0, 5, 5], [5, 5, 5 - 0.0009], [5, 5, 5 - 0.0011]]), 12, 40.0)
    counts = np.diff(paths.offset).reshape(3, 2)
    np.testing.assert_array_equal(counts[:, 0] > 0, [False, False, True])
    assert (counts[:, 1] > 0).all()
    assert np.isfinite(paths.transfer).all()


def test_a_bounce_on_what_sticks_out_of_the_hall_does_not_count():
    # The box's +x face runs on outside the wall y = 0; the mirror point for these antennas lies out there.
    hall = Hall(np.array([20.0, 10, 6]), np.array([[5.0, -1, 2]]), np.array([[1.0, 3, 2]]), np.zeros(1), ("metal",))
    prepared = prepare_hall(hall, 28e9)
    face = prepared.facet_name.index("box 0 +x")
    paths = compute_paths(prepared, np.array([[12.0, 0.1, 1]]), np.array([[8.0, 1.9, 1]]), 400, 200.0)
    assert [face, -1] in paths.facet.tolist()
    assert (paths.vertex_m[:, 1:3] > -1e-9).all()


@pytest.mark.parametrize(
    ("trp", "options", "message"),
    [
        ([5.0, 5, 7], {}, r"TRP 0 at \[5.0, 5.0, 7.0\] m lies outside the hall of 20 x 10 x 6 m"),
        ([10.0, 5, 1], {}, "TRP 0 .* lies inside box 0"),
        ([np.nan, 5, 1], {}, r"position_m of TRP 0 is \[nan"),
        ([5.0, 5, 5], {"trp_carrier": (1,)}, r"trp_carrier\[0\] is 1; the hall is prepared for 1 carriers"),
        ([5.0, 5, 5], {"trp_carrier": (0, 0)}, "trp_carrier has 2 and trp_slant_rad 1 values, wanted 1"),
        ([5.0, 5, 5], {"trp_slant_rad": (np.inf,)}, r"trp_slant_rad\[0\] is inf"),
        ([5.0, 5, 5], {"ue_slant_rad": np.nan}, "ue_slant_rad is nan"),
        ([5.0, 5, 5], {"max_order": 3}, "max_order is 3, wanted 0, 1 or 2"),
        ([5.0, 5, 5], {"max_paths": 0}, "max_paths is 0, wanted 1 or more"),
        ([5.0, 5, 5], {"reach_db": -1.0}, "reach_db is -1.0"),
    ],
)
def test_wrong_arguments_are_refused_by_name(trp, options, message):
    hall = Hall(np.array([20.0, 10, 6]), np.array([[10.0, 5, 1]]), np.ones((1, 3)), np.zeros(1), ("metal",))
    with pytest.raises(ValueError, match=message):
        PathFinder(prepare_hall(hall, 28e9), np.array([trp]), **options)


def test_a_wrong_frequency_or_thickness_is_refused():
    hall = Hall.empty((20, 10, 6))
    with pytest.raises(ValueError, match=r"frequency_hz is -28.0, wanted one or more carrier frequencies in Hz"):
        prepare_hall(hall, -28.0)
    with pytest.raises(ValueError, match="hall wall_material: material 'concrete' is defined from 1 to 100 GHz"):
        prepare_hall(hall, 28.0)
    with pytest.raises(ValueError, match="frequency_hz is"):
        prepare_hall(hall, ())
    with pytest.raises(ValueError, match=r"hall floor_thickness_m is 0.0, wanted a thickness above 0 m"):
        Hall(hall.size_m, hall.box_center_m, hall.box_half_m, hall.box_yaw_rad, (), floor_thickness_m=0.0)
    with pytest.raises(ValueError, match=r"hall box_thickness_m\[0\] is -0.1"):
        Hall(hall.size_m, np.ones((1, 3)), np.ones((1, 3)), np.zeros(1), ("wood",), box_thickness_m=np.array([-0.1]))
