"""Knife edges against ITU-R P.526, and the kernels' Fresnel integrals against SciPy's."""

import math

import numpy as np
import pytest
from scipy.special import fresnel

from radio.bodies.fresnel import (
    FRESNEL_TABLE,
    double_knife_edge_loss_db,
    fresnel_and_phase,
    fresnel_edge_loss_db,
    fresnel_integrals,
    fresnel_scale,
    knife_edge_loss_db,
    screen_field,
)


def test_single_knife_edge_of_p526():
    v = np.array([0, 1, 2, 2.4, 3])
    np.testing.assert_allclose(knife_edge_loss_db(v), [6.033, 13.926, 19.043, 20.539, 22.416], atol=0.001)
    assert knife_edge_loss_db(-0.79) == 0.0
    assert np.abs(knife_edge_loss_db(np.linspace(-0.7, 3, 60)) - fresnel_edge_loss_db(np.linspace(-0.7, 3, 60))).max() < 0.25
    # At the edge exactly half of the field is left; far beyond, sqrt(2) pi v.
    assert fresnel_edge_loss_db(0.0) == pytest.approx(20 * math.log10(2))
    assert fresnel_edge_loss_db(10.0) == pytest.approx(20 * math.log10(math.sqrt(2) * math.pi * 10), abs=0.01)


def test_two_edges_that_leave_nothing_between_them_are_one():
    strip = screen_field(3, 4, 500.0, math.inf, 500.1, 0.0, 0.01)
    edge = fresnel_edge_loss_db(-0.1 * fresnel_scale(3, 4, 0.01))
    assert -20 * math.log10(abs(complex(strip))) == pytest.approx(float(edge), abs=0.01)


def test_double_knife_edge_against_lateral_offset():
    got = double_knife_edge_loss_db(5, 5, 0.5, np.array([0, 0.1, 0.2, 0.3, 0.4, 1.0]), 0.299792458 / 28)
    np.testing.assert_allclose(got, [13.7, 12.9, 9.1, 2.2, -1.6, -0.1], atol=0.05)


def test_lengths_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match=r"near_m is 0.0, wanted a length above 0 m"):
        fresnel_scale(0.0, 1.0, 0.01)
    with pytest.raises(ValueError, match=r"width_m is -1, wanted a length above 0 m"):
        double_knife_edge_loss_db(1, 1, -1, 0.0, 0.01)
    with pytest.raises(ValueError, match=r"half_height_m is 0.0"):
        screen_field(1, 1, 1.0, 0.0, 0.0, 0.0, 0.01)


def test_the_kernels_integrals():
    for x in np.concatenate((np.linspace(-15.9, 15.9, 801), [8.0, -8.0, 0.0])):
        s, c = fresnel(x)
        fast = fresnel_integrals(float(x), FRESNEL_TABLE)
        assert math.hypot(fast[0] - c, fast[1] - s) < (6e-5 if abs(x) <= 8 else 5e-4)
        full = fresnel_and_phase(float(x), FRESNEL_TABLE)
        assert math.hypot(full[0] - c, full[1] - s) < 6e-5
        assert abs(complex(full[2], full[3]) - np.exp(0.5j * math.pi * x * x)) < (1e-4 if abs(x) <= 2 else 6e-3)
    limit = fresnel_integrals(1e6, FRESNEL_TABLE)
    assert math.hypot(limit[0] - 0.5, limit[1] - 0.5) < 0.021
