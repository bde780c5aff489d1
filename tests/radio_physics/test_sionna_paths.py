"""Paths in seven halls beside those that Sionna RT 2.2 found there, stored with the tests; and a thin screen."""

from functools import cache

import numpy as np
import pytest

from factory.validate.sionna_live import unavailable
from factory.validate.sionna_reference import Agreement, Reference, compare, on_an_edge, read_reference, write_reference
from factory.validate.sionna_rows import REFERENCES, THIN_SCREEN_DB, our_paths, screen_loss_db, sionna_rows
from radio.types import Paths

FILES = sorted(REFERENCES.glob("sionna_*.json"))
NAMES = [path.stem.removeprefix("sionna_") for path in FILES]
HALLS = pytest.mark.parametrize("name", NAMES)


@cache
def reference(name: str) -> Reference:
    return read_reference(REFERENCES / f"sionna_{name}.json")


@cache
def ours(name: str) -> Paths:
    return our_paths(reference(name))


@cache
def agreement(name: str) -> Agreement:
    return compare(ours(name), reference(name))


def test_the_halls_differ_in_what_matters():
    halls = [reference(name) for name in NAMES]
    assert len(halls) >= 6
    assert {len(h.hall.box_material) for h in halls} >= {0, 10}
    assert {h.frequency_hz for h in halls} >= {3.5e9, 28e9}
    used = {
        m for h in halls for m in (*h.hall.box_material, h.hall.wall_material, h.hall.floor_material, h.hall.ceiling_material)
    }
    assert used >= {"glass", "metal", "chipboard", "brick", "plasterboard", "concrete"}
    assert any((h.hall.box_yaw_rad % (np.pi / 2) > 0.1).any() for h in halls)
    assert sum(len(h.paths.ue) for h in halls) > 4000


@HALLS
def test_no_path_is_missing_or_invented(name):
    found = agreement(name)
    assert found.unexplained == 0
    edges = len(found.only_ours) + len(found.only_theirs)
    assert edges <= 1  # one ray of a hall may meet an edge; it may not become the rule
    assert found.matched >= found.theirs - edges


@HALLS
def test_every_order_is_there(name):
    assert np.bincount(ours(name).order, minlength=3).min() > 0
    np.testing.assert_array_equal(ours(name).order, (ours(name).facet >= 0).sum(axis=1))


@HALLS
def test_powers_of_links_agree(name):
    np.testing.assert_allclose(agreement(name).power_error_db, 0.0, atol=0.01)


@HALLS
def test_lengths_agree_as_far_as_float32_carries(name):
    assert agreement(name).length_error_m.max() < 50e-6


@HALLS
def test_phases_of_coefficients_agree(name):
    assert np.degrees(np.quantile(agreement(name).phase_error_rad, 0.95)) < 0.1


@HALLS
def test_all_four_entries_of_the_transfer_agree(name):
    # Phase says nothing where a coefficient is almost nil (Brewster's angle); the complex difference does.
    assert np.quantile(agreement(name).transfer_error, 0.95) < 1e-4
    assert agreement(name).transfer_error.max() < 5e-3


@HALLS
def test_points_and_directions_agree(name):
    # Sionna sets a ray off from the surface that it leaves, which moves the next point by mm where rays graze.
    assert agreement(name).point_error_m.max() < 5e-3
    assert agreement(name).angle_error_rad.max() < 1e-3


@HALLS
def test_the_stored_paths_hang_together(name):
    """What was stored is itself a set of image paths: the polyline's length is the stored one, the angles are its ends'."""
    them, trp, ue = reference(name).paths, reference(name).trp_position_m, reference(name).ue_position_m
    vertex = np.concatenate((trp[them.trp][:, None], them.point_m, ue[them.ue][:, None]), axis=1)
    for n in range(len(vertex)):
        line = vertex[n][~np.isnan(vertex[n, :, 0])]
        assert np.linalg.norm(np.diff(line, axis=0), axis=1).sum() == pytest.approx(them.length_m[n], abs=50e-6)


def test_a_path_in_the_middle_of_things_is_not_excused():
    r, p = reference("empty_room"), ours("empty_room")
    edge = on_an_edge(r, p.vertex_m, p.facet)
    assert edge.mean() < 0.02
    sight = p.order == 0
    assert not edge[sight].any()


def test_a_wrong_wall_or_a_lost_path_is_noticed():
    r = reference("empty_room")
    p = ours("empty_room")
    few = len(p.order) // 2
    offset = np.minimum(p.offset, few)
    cut = Paths(
        p.n_ue, p.n_trp, p.wavelength_m, offset, p.order[:few], p.vertex_m[:few], p.length_m[:few], p.transfer[:few],
        p.amplitude[:few], p.departure[:few], p.arrival[:few], p.facet[:few],
    )  # fmt: skip
    assert compare(cut, r).unexplained > 0.9 * few
    glass = Reference(
        r.name, r.source, r.frequency_hz, type(r.hall).empty((10.0, 8.0, 3.0), "glass"), r.trp_position_m, r.ue_position_m,
        r.paths, r.samples,
    )  # fmt: skip
    found = compare(our_paths(glass), glass)
    assert found.unexplained == 0
    assert np.abs(found.power_error_db).max() > 0.1


def test_a_reference_survives_writing(tmp_path):
    r = reference("glass_office")
    write_reference(tmp_path / "again.json", r)
    assert (tmp_path / "again.json").read_text() == (REFERENCES / "sionna_glass_office.json").read_text()


def test_a_file_with_other_columns_is_refused(tmp_path):
    text = (REFERENCES / "sionna_empty_room.json").read_text().replace('"length_m"', '"length_ft"')
    (tmp_path / "odd.json").write_text(text)
    with pytest.raises(ValueError, match=r"odd\.json: columns are .*length_ft.*wanted"):
        read_reference(tmp_path / "odd.json")


@pytest.mark.parametrize(("beside_m", "loss_db"), THIN_SCREEN_DB.items())
def test_thin_screen_against_edge_diffraction(beside_m, loss_db):
    assert screen_loss_db(beside_m) == pytest.approx(loss_db, abs=2.0)


def test_rows_for_validate_say_that_they_are_stored():
    rows = sionna_rows(live=False)
    assert len(rows) == 4 * len(NAMES) + len(THIN_SCREEN_DB)
    assert {row.table for row in rows} == {"Paths against Sionna RT 2.2 (stored)", "Thin screen against Sionna RT 2.2 (stored)"}
    assert [row.case for row in rows if not row.ok] == []


def test_the_live_counterpart_finds_the_stored_paths():
    reason = unavailable()
    if reason is not None:
        pytest.skip(reason)
    rows = sionna_rows(live=True)
    assert all("(live)" in row.table for row in rows)
    assert [row.case for row in rows if not row.ok] == []
