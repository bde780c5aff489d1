"""Permittivities and reflection coefficients against ITU-R P.2040 and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radio.materials import MATERIALS, fresnel, permittivity
from radio.paths_kernels import fresnel_scalar


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


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.sampled_from(sorted(MATERIALS)), st.floats(1e-6, 1.0), st.floats(50e9, 60e9))
def test_passive_materials_never_amplify_and_kernel_agrees(name, cos_incidence, frequency_hz):
    if name == "brick":
        frequency_hz = 28e9
    eps = permittivity(name, frequency_hz)
    te, tm = fresnel(eps, np.array(cos_incidence))
    assert abs(te) <= 1.0 + 1e-12
    assert abs(tm) <= 1.0 + 1e-12
    fast_te, fast_tm = fresnel_scalar(eps, cos_incidence)
    assert complex(te) == pytest.approx(fast_te, abs=1e-12)
    assert complex(tm) == pytest.approx(fast_tm, abs=1e-12)
