"""The integral round an outline against brute force over the same parts."""

import math

import numpy as np
import pytest

from radio.bodies.fresnel import fresnel_edge_loss_db
from radio.bodies.silhouette_oracle import union_integral
from radio.bodies.silhouette_outline import EDGE_TABLE, MAX_PAIRS, outline_field
from radio.types import SHAPE_CAPSULE, SHAPE_ELLIPSE, SHAPE_RECTANGLE


def outlined(flat, kind):
    n = len(flat)
    corner, line, bound = np.empty((n, 2 * MAX_PAIRS + 1, 2)), np.empty((n, MAX_PAIRS + 1, 4)), np.empty((n, 4))
    near, low, high = np.empty(n, np.uint64), np.empty(n + 1), np.empty(n + 1)
    return complex(*outline_field(n, flat, kind, 1.0, EDGE_TABLE, corner, line, bound, near, low, high))


def polygon(flat, kind):
    """Outline of one part, point by point."""
    angle = np.arange(2880) * (2 * np.pi / 2880)
    normal = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    half = flat[2:4]
    one, other = (np.array([flat[4], 0.0]), np.array([0.0, flat[4]])) if kind == SHAPE_CAPSULE else (flat[4:6], flat[6:8])
    point = flat[:2] + np.sign(normal @ half)[:, None] * half
    a, b = normal @ one, normal @ other
    if kind == SHAPE_RECTANGLE:
        return point + np.sign(a)[:, None] * one + np.sign(b)[:, None] * other
    size = np.hypot(a, b)
    return point + (a / size)[:, None] * one + (b / size)[:, None] * other


@pytest.mark.parametrize(("kind", "error"), [(SHAPE_RECTANGLE, 0.003), (SHAPE_CAPSULE, 0.03), (SHAPE_ELLIPSE, 0.03)])
def test_unions_anywhere_agree_with_brute_force(kind, error):
    rng = np.random.default_rng(5)
    errors = []
    for n in (1, 2, 3, 6, 12) * 6:
        flat = np.concatenate((rng.uniform(-4, 4, (n, 2)), rng.uniform(-1.5, 1.5, (n, 6))), axis=1)
        if kind == SHAPE_CAPSULE:
            flat[:, 4] = rng.uniform(0.1, 1.5, n)
        expected = 1.0 - 0.5j * union_integral([polygon(f, kind) for f in flat])
        errors.append(abs(outlined(flat, np.full(n, kind)) - expected))
    assert max(errors) < 3 * error
    assert np.median(errors) < error


def test_edges_that_coincide_count_once():
    """Boxes side by side, one on the other and one in the other, with sides in common, are one box."""
    whole = np.array([[0.3, 0.2, 2.0, 0.0, 0.0, 1.0, 0.0, 0.0]])
    halves = np.array([[-0.7, 0.2, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0], [1.3, 0.2, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]])
    inner = np.array([[0.3, 0.7, 2.0, 0.0, 0.0, 0.5, 0.0, 0.0]])
    expected = outlined(whole, np.array([SHAPE_RECTANGLE]))
    for boxes in (halves, np.concatenate((whole, inner)), np.concatenate((inner, whole)), np.concatenate((halves, inner))):
        assert outlined(boxes, np.full(len(boxes), SHAPE_RECTANGLE)) == pytest.approx(expected, abs=1e-3)


def test_an_endless_edge_is_a_knife_edge():
    for at in (-2.0, -0.5, -0.01, 0.01, 0.5, 2.0):
        wall = np.array([[at + 500.0, 0.0, 500.0, 0.0, 0.0, 500.0, 0.0, 0.0]])
        loss = -20 * math.log10(abs(outlined(wall, np.array([SHAPE_RECTANGLE]))))
        assert loss == pytest.approx(float(fresnel_edge_loss_db(-at)), abs=0.1)
