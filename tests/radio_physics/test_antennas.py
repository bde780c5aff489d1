"""Panels, codebook and device antennas against TR 38.901, TR 38.802 and element-by-element sums."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radio.config import UeConfig, UePanelConfig
from radio.propagation.antennas import (
    SERIES_BELOW,
    array_factors,
    beam_cosines,
    codebook,
    factors_kernel,
    panel_axes,
    panel_gain,
    ue_antenna,
    ue_gain,
    ue_sectors,
)


def direction(azimuth_deg, elevation_deg):
    a, e = np.radians(azimuth_deg), np.radians(elevation_deg)
    return np.stack(np.broadcast_arrays(np.cos(a) * np.cos(e), np.sin(a) * np.cos(e), np.sin(e)), axis=-1).reshape(-1, 3)


def db(gain):
    return 10 * np.log10(gain)


def test_peak_of_an_8x8_panel_is_26_dbi():
    gain = panel_gain(direction(0, 0), panel_axes(0, 0), 8, 8)[0]
    assert db(gain[4 * 8 + 4]) == pytest.approx(26.06, abs=0.01)  # 8 dBi + 10 lg 64
    assert gain.argmax() == 4 * 8 + 4


@pytest.mark.parametrize(("rows", "columns"), [(8, 8), (4, 16), (1, 8), (3, 5), (1, 1)])
def test_a_single_element_has_the_pattern_of_table_7_3_1(rows, columns):
    axes = panel_axes(0, 0)
    single = panel_gain(direction([0, 32.5, 65, 0, 180, 120], [0, 0, 0, 32.5, 0, 40]), axes, 1, 1)[:, 0]
    # 12 (angle/65)^2 dB down, at most 30 dB: 3 dB at half the beamwidth
    np.testing.assert_allclose(db(single), [8, 5, -4, 5, -22, -22], atol=1e-9)
    # The beams are orthonormal, so over a codebook the gains sum to the elements' own.
    where = direction([-50, -10, 3, 40], [-20, 5, 0, 30])
    total = panel_gain(where, axes, rows, columns).sum(axis=1)
    np.testing.assert_allclose(total, rows * columns * panel_gain(where, axes, 1, 1)[:, 0], rtol=1e-9)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.integers(1, 9), st.integers(1, 9), st.floats(-180, 180), st.floats(-89, 89), st.floats(-180, 180), st.floats(-60, 90))
def test_separable_factors_equal_the_sum_over_elements(rows, columns, azimuth, elevation, boresight, downtilt):
    axes = panel_axes(boresight, downtilt)
    d = direction(azimuth, elevation)
    local = axes @ d[0]
    m = (np.arange(rows) - (rows - 1) / 2)[:, None]
    n = (np.arange(columns) - (columns - 1) / 2)[None, :]
    field = (np.conj(codebook(rows, columns)) * np.exp(1j * np.pi * (m * local[2] + n * local[1]))).sum(axis=(1, 2))
    element = panel_gain(d, axes, 1, 1)[0, 0]
    np.testing.assert_allclose(
        panel_gain(d, axes, rows, columns)[0], element * np.abs(field) ** 2, rtol=1e-6, atol=1e-9 * element
    )


def test_codebook_is_orthonormal():
    w = codebook(4, 8).reshape(32, 32)
    np.testing.assert_allclose(w @ w.conj().T, np.eye(32), atol=1e-12)


def test_beams_point_where_their_number_says():
    cosines = beam_cosines(8)
    np.testing.assert_allclose(cosines, [-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75])
    left = np.degrees(np.arcsin(0.5))
    gain = panel_gain(direction(left, 0), panel_axes(0, 0), 8, 8)[0]
    assert gain.argmax() == 4 * 8 + 6  # broadside row, two columns to the left
    gain = panel_gain(direction(0, left), panel_axes(0, 0), 8, 8)[0]
    assert gain.argmax() == 6 * 8 + 4  # broadside column, two rows up


@settings(deadline=None, max_examples=30, derandomize=True)
@given(st.floats(-180, 180), st.floats(-90, 90))
def test_axes_are_a_right_handed_frame_with_level_left(azimuth, downtilt):
    axes = panel_axes(azimuth, downtilt)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.cross(axes[0], axes[1]), axes[2], atol=1e-12)
    assert axes[1, 2] == 0.0
    assert axes[0, 2] == pytest.approx(-np.sin(np.radians(downtilt)))


def test_device_peak_is_11_dbi_and_turns_with_its_heading():
    # 5 dBi element + 10 lg 4
    for sector in range(4):
        gain = ue_gain(direction(30 + 90 * sector, 0), np.radians(30), "quad_sector")[0]
        assert db(gain[sector]) == pytest.approx(11.02, abs=0.01)
        assert gain.argmax() == sector
    # Between two sectors both see the same: element 3 dB down, columns 20 lg cos(pi/2 sin 45 deg) = -7.05 dB.
    between = ue_gain(direction(45, 0), 0.0, "quad_sector")[0]
    assert between[0] == pytest.approx(between[1])
    assert db(between[0]) == pytest.approx(11.02 - 3.0 - 7.05, abs=0.02)


def test_isotropic_device_has_0_dbi_everywhere():
    np.testing.assert_array_equal(ue_gain(direction([0, 77, -120], [0, 30, -89]), 1.0, "isotropic"), np.ones((3, 1)))


def test_device_pattern_is_the_sum_over_its_four_elements():
    d = direction(25, 35)[0]
    gain = ue_gain(d[None], 0.0, "quad_sector")[0, 0]
    field = np.exp(1j * np.pi * (np.array([[-0.5], [0.5]]) * d[2] + np.array([[-0.5, 0.5]]) * d[1])).sum() / 2
    element_db = 5 - min(12 * (25 / 90) ** 2 + 12 * (35 / 90) ** 2, 25)
    assert gain == pytest.approx(10 ** (element_db / 10) * abs(field) ** 2)


def test_dipole_has_2_15_dbi_and_nothing_along_its_rod():
    """Balanis, Antenna Theory, chapter 4.6: cos(pi/2 cos th) / sin th, 2.15 dBi, 78 degrees wide."""
    level, half, edge, top = db(ue_gain(direction(20, [0, 39, -39, 89.9]), 0.3, "dipole")[:, 0])
    assert level == pytest.approx(2.15, abs=0.005)
    assert half == edge == pytest.approx(2.15 - 3.0, abs=0.05)
    assert top < -50
    assert ue_gain(direction(0, [90, -90]), 0.0, "dipole").max() < 1e-9
    # Lossless: the mean over the sphere is 1.
    z = (np.arange(4000) + 0.5) / 2000 - 1
    assert ue_gain(direction(0, np.degrees(np.arcsin(z))), 0.0, "dipole").mean() == pytest.approx(1.0, abs=1e-4)


def test_a_devices_panel_looks_where_it_is_turned():
    panel = UePanelConfig(rows=2, columns=4, heading_offset_deg=90, elevation_deg=30)
    config = UeConfig(antenna="panel", panel=panel)
    gain = ue_gain(direction(130, 30), np.radians(40), config)[0]
    assert len(gain) == ue_sectors(config) == 8
    assert db(gain.max()) == pytest.approx(5 + 10 * np.log10(8), abs=0.01)
    assert gain.argmax() == 1 * 4 + 2
    # Element by element, off boresight; heading 40 + 90 + 25 degrees to the left, in the panel's own plane 0 degrees up.
    axes = panel_axes(130, -30)
    d = axes[0] * np.cos(0.4) + axes[1] * np.sin(0.4)
    gain = ue_gain(d[None], np.radians(40), config)[0].reshape(2, 4)
    phase = np.exp(1j * np.pi * (np.arange(4) - 1.5) * np.sin(0.4))
    field = np.conj(codebook(1, 4).reshape(4, 4)) @ phase
    element = 10 ** ((5 - 12 * (np.degrees(0.4) / 90) ** 2) / 10)
    np.testing.assert_allclose(gain[1], 2 * element * np.abs(field) ** 2, rtol=1e-6, atol=1e-9)


def exact_gains(d, heading):
    """TR 38.901 table 7.3-1 with 65 degrees and 8 dBi, and the four sectors, by NumPy's own functions."""
    azimuth, elevation = np.degrees(np.arctan2(d[:, 1], d[:, 0])), np.degrees(np.arcsin(d[:, 2]))
    element = 8 - np.minimum(12 * ((azimuth / 65) ** 2 + (elevation / 65) ** 2), 30)
    sectors = []
    for k in range(4):
        around = (azimuth - np.degrees(heading) - 90 * k + 180) % 360 - 180
        left = np.sin(np.radians(around)) * np.cos(np.radians(elevation))
        loss = np.minimum(12 * ((around / 90) ** 2 + (elevation / 90) ** 2), 25)
        sectors.append(5 - loss + 20 * np.log10(2 * np.abs(np.cos(np.pi / 2 * left) * np.cos(np.pi / 2 * d[:, 2])) + 1e-300))
    return element, np.stack(sectors, axis=1)


def test_fast_gains_are_the_exact_ones_within_a_millionth_of_a_db():
    rng = np.random.default_rng(1)
    d = rng.normal(size=(3000, 3))
    d /= np.linalg.norm(d, axis=1)[:, None]
    corners = np.concatenate([np.eye(3)[:2], -np.eye(3)[:2], direction([45, 135, 180, -45, 90], [0, 10, -20, 45, 30])])
    d = np.concatenate([d, corners])
    element, sectors = exact_gains(d, 0.7)
    np.testing.assert_allclose(db(panel_gain(d, panel_axes(0, 0), 1, 1)[:, 0]), element, atol=1e-6)
    got = ue_gain(d, 0.7, "quad_sector")
    heard = sectors > -60  # nearer to a null the level itself is rounding
    np.testing.assert_allclose(db(got[heard]), sectors[heard], atol=1e-6)
    # The kernel that works on many paths at once gives what these give one by one.
    axes = np.stack([panel_axes(20, 10), panel_axes(-130, 0)])
    rows, columns = np.array([8, 2]), np.array([4, 5])
    half = len(d) // 2
    offset = np.array([0, half, 2 * half])
    pair = d[: 2 * half]
    ue = ue_antenna(UeConfig())
    azimuth, elevation, sector = factors_kernel(
        offset, 2, pair, pair, np.array([0.7]), axes, rows, columns, np.array([1.0, 0.5]), ue.kind, ue.axes, ue.size, 4,
        np.zeros(1, np.int64), pair[:0], pair[:0], np.zeros(0), np.zeros((0, 5)), np.zeros((0, 8)), np.zeros((0, 4)),
    )  # fmt: skip
    np.testing.assert_allclose(sector**2, got[: 2 * half], rtol=1e-11, atol=1e-15)
    for t, part, scale in ((0, slice(0, half), 1.0), (1, slice(half, 2 * half), 0.25)):
        r, c = rows[t], columns[t]
        gain = (elevation[part, :r, None] * azimuth[part, None, :c]).reshape(-1, r * c) ** 2
        np.testing.assert_allclose(gain, scale * panel_gain(pair[part], axes[t], r, c), rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("n", [1, 2, 5, 8, 32])
def test_array_factors_are_smooth_across_their_series(n):
    """Towards a beam and its alias, where sin(n a) / sin(a) is 0 / 0, and at the border of the series that replaces it."""
    cosines = beam_cosines(n)
    border = 2 / np.pi * np.arcsin(SERIES_BELOW)
    at = np.concatenate([cosines + e for e in (0, 1e-12, -1e-9, 0.999 * border, 1.001 * border, -1.001 * border)] + [[-1.0, 1.0]])
    at = np.clip(at, -1, 1)
    element = np.arange(n) - (n - 1) / 2
    exact = (np.exp(1j * np.pi * (at[:, None, None] - cosines[:, None]) * element)).sum(axis=2).real / np.sqrt(n)
    out = np.empty((len(at), n))
    for p, cosine in enumerate(at):
        array_factors(cosine, n, out, p)
    np.testing.assert_allclose(out, exact, atol=2e-9)


def test_a_panel_too_large_is_refused():
    with pytest.raises(ValueError, match="panel of 33 rows and 8 columns, wanted 1 to 32"):
        panel_gain(direction(0, 0), panel_axes(0, 0), 33, 8)
