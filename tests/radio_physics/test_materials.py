"""Permittivities and reflection coefficients against ITU-R P.2040 and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radio.propagation.materials import MATERIALS, fresnel, permittivity, slab
from radio.propagation.paths_kernels import cos_sin_of_turns, exp_of_negative, slab_scalar
from radio.propagation.visibility_kernels import reflection_bound


def test_concrete_at_28_ghz_has_the_conductivity_of_p2040():
    eps = permittivity("concrete", 28e9)
    assert eps.real == pytest.approx(5.24)
    # sigma = 0.0462 * 28**0.7822 = 0.626 S/m; 17.98 sigma / f_GHz is P.2040's form of the imaginary part
    assert eps.imag == pytest.approx(-17.98 * 0.6261 / 28.0, rel=1e-3)


def test_unknown_material_says_what_exists():
    with pytest.raises(ValueError, match="'concret' is unknown; known: brick, chipboard, concrete"):
        permittivity("concret", 28e9)


def test_material_outside_its_range_says_which_are_defined_there():
    with pytest.raises(ValueError, match=r"'floorboard' is defined from 50 to 100 GHz .* not at 28 GHz; defined there: brick"):
        permittivity("floorboard", 28e9)
    assert permittivity("floorboard", 60e9).real == pytest.approx(3.66)


def test_metal_reflects_like_a_perfect_conductor():
    te, tm = fresnel(permittivity("metal", 28e9), np.array([1.0, 0.7, 0.3]))
    np.testing.assert_allclose(te, -1.0, atol=2e-3)
    np.testing.assert_allclose(tm, 1.0, atol=5e-3)  # 1e7 S/m is no perfect conductor yet


def test_head_on_both_polarisations_reflect_alike():
    # |Gamma| = (sqrt(eps) - 1) / (sqrt(eps) + 1): glass without loss, 6.31, gives 0.4305
    te, tm = fresnel(6.31 + 0j, np.array(1.0))
    assert complex(tm) == pytest.approx(0.43051, abs=1e-5)
    assert complex(te) == pytest.approx(-0.43051, abs=1e-5)


def test_brewster_angle_has_no_tm_reflection():
    eps = 5.24
    cos_brewster = np.cos(np.arctan(np.sqrt(eps)))
    te, tm = fresnel(eps + 0j, np.array(cos_brewster))
    assert abs(complex(tm)) < 1e-12
    assert abs(complex(te)) > 0.6


def test_a_layer_far_thicker_than_its_skin_is_a_half_space():
    eps = permittivity("concrete", 28e9)
    cos_incidence = np.array([0.1, 0.5, 1.0])
    for thick, half_space in zip(slab(eps, cos_incidence, 2.0, 0.0107), fresnel(eps, cos_incidence), strict=True):
        np.testing.assert_allclose(thick, half_space, atol=1e-12)


def test_a_lossless_layer_of_half_a_wavelength_inside_reflects_nothing_and_of_a_quarter_most():
    # Glass without loss, n = sqrt(6.31): d = m lambda / (2 n) is transparent at normal incidence; d = lambda / (4 n) gives
    # R = 2 R' / (1 + R'^2) = (1 - n^2) / (1 + n^2) = -0.72640.
    n = np.sqrt(6.31)
    te, tm = slab(6.31 + 0j, np.array(1.0), 1.0 / (2 * n), 1.0)
    assert abs(complex(te)) < 1e-12
    assert abs(complex(tm)) < 1e-12
    te, tm = slab(6.31 + 0j, np.array(1.0), 1.0 / (4 * n), 1.0)
    assert complex(te) == pytest.approx(-0.72640, abs=1e-5)
    assert complex(tm) == pytest.approx(0.72640, abs=1e-5)


def test_a_layer_without_thickness_is_refused():
    with pytest.raises(ValueError, match=r"thickness_m is 0.0, wanted a length above 0 m"):
        slab(6.31 + 0j, np.array(1.0), 0.0, 0.01)


FITTING_HZ = {"floorboard": 60e9, "brick": 28e9}


@settings(deadline=None, max_examples=150, derandomize=True)
@given(st.sampled_from(sorted(MATERIALS)), st.floats(1e-6, 1.0), st.floats(0.002, 0.5), st.floats(2e9, 55e9))
def test_passive_layers_never_amplify_stay_below_their_bound_and_kernel_agrees(name, cos_incidence, thickness_m, frequency_hz):
    frequency_hz = FITTING_HZ.get(name, frequency_hz)
    wavelength_m = 299_792_458.0 / frequency_hz
    eps = permittivity(name, frequency_hz)
    te, tm = slab(eps, np.array(cos_incidence), thickness_m, wavelength_m)
    assert abs(te) <= 1.0 + 1e-12
    assert abs(tm) <= 1.0 + 1e-12
    te_re, te_im, tm_re, tm_im = slab_scalar(cos_incidence, eps.real, eps.imag, thickness_m / wavelength_m)
    assert complex(te) == pytest.approx(complex(te_re, te_im), abs=1e-9)
    assert complex(tm) == pytest.approx(complex(tm_re, tm_im), abs=1e-9)
    for flatter in (cos_incidence, 0.7 * cos_incidence, 0.1 * cos_incidence):
        bound = reflection_bound(eps, thickness_m / wavelength_m, flatter)
        assert max(abs(te), abs(tm)) <= bound * (1.0 + 1e-9)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(st.floats(-40.0, 0.0), st.floats(-2e4, 2e4))
def test_the_kernels_own_functions_agree_with_the_library(x, turns):
    assert exp_of_negative(x) == pytest.approx(np.exp(x), rel=1e-12, abs=1e-17)
    cos, sin = cos_sin_of_turns(turns)
    # the fraction of a turn is exact; 2 pi turns would round away 1e-11
    assert cos == pytest.approx(np.cos(2 * np.pi * (turns - np.round(turns))), abs=1e-14)
    assert sin == pytest.approx(np.sin(2 * np.pi * (turns - np.round(turns))), abs=1e-14)
