"""Panels, codebook and device antennas against TR 38.901, TR 38.802 and element-by-element sums."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radio.antennas import beam_cosines, codebook, panel_axes, panel_gain, ue_gain


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


def test_a_panel_too_large_is_refused():
    with pytest.raises(ValueError, match="panel of 33 rows and 8 columns, wanted 1 to 32"):
        panel_gain(direction(0, 0), panel_axes(0, 0), 33, 8)
