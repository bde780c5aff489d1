"""Fitting boosted trees with vector leaves: gradients of distance, of log scale and of cross entropy."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from numba import njit

from humans.forecast_trees import DEPTH, LEAVES, NODES, Trees

Floats = npt.NDArray[np.float64]
Loss = Literal["distance", "absolute", "classes"]
BINS = 64


@njit(cache=True)
def _grow(codes, gradient, row, min_rows, ridge):  # type: ignore[no-untyped-def]
    """Grow one tree on rows; return node features, node bins and each row's leaf."""
    n_features, dims, n = codes.shape[1], gradient.shape[1], len(row)
    feature = np.zeros(NODES, np.int64)
    cut = np.full(NODES, BINS, np.int64)
    node = np.zeros(n, np.int64)
    for level in range(DEPTH):
        first, width = 2**level - 1, 2**level
        best = np.full(width, 1e-12)
        total, count = np.zeros((width, dims)), np.zeros(width)
        for i in range(n):
            m = node[i] - first
            count[m] += 1.0
            for d in range(dims):
                total[m, d] += gradient[row[i], d]
        hist, number = np.zeros((width, BINS, dims)), np.zeros((width, BINS))
        left = np.zeros(dims)
        for f in range(n_features):
            hist[:] = 0.0
            number[:] = 0.0
            for i in range(n):
                m, b = node[i] - first, codes[row[i], f]
                number[m, b] += 1.0
                for d in range(dims):
                    hist[m, b, d] += gradient[row[i], d]
            for m in range(width):
                left[:] = 0.0
                behind = 0.0
                parent = 0.0
                for d in range(dims):
                    parent += total[m, d] ** 2 / (count[m] + ridge)
                for b in range(BINS - 1):
                    behind += number[m, b]
                    gain = -parent
                    for d in range(dims):
                        left[d] += hist[m, b, d]
                        gain += left[d] ** 2 / (behind + ridge) + (total[m, d] - left[d]) ** 2 / (count[m] - behind + ridge)
                    if behind >= min_rows and count[m] - behind >= min_rows and gain > best[m]:
                        best[m] = gain
                        feature[first + m] = f
                        cut[first + m] = b
        for i in range(n):
            at = node[i]
            node[i] = 2 * at + (2 if codes[row[i], feature[at]] > cut[at] else 1)
    return feature, cut, node - NODES


@njit(cache=True)
def _leaves_of(codes, feature, cut):  # type: ignore[no-untyped-def]
    out = np.empty(codes.shape[0], np.int64)
    for i in range(codes.shape[0]):
        at = 0
        for _ in range(DEPTH):
            at = 2 * at + (2 if codes[i, feature[at]] > cut[at] else 1)
        out[i] = at - NODES
    return out


@njit(cache=True)
def _medians(leaf_of, row, residual, weight, ridge, out):  # type: ignore[no-untyped-def]
    """Geometric medians per leaf of pairs of outputs by Weiszfeld's iteration, drawn to 0 by ``ridge`` rows there."""
    dims = residual.shape[1]
    for sweep in range(6):
        total, mass = np.zeros((LEAVES, dims)), np.zeros((LEAVES, dims))
        for i in range(len(row)):
            m = leaf_of[i]
            for d in range(0, dims, 2):
                dx, dy = residual[row[i], d] - out[m, d], residual[row[i], d + 1] - out[m, d + 1]
                w = weight[row[i]] / max(np.hypot(dx, dy), 0.02) if sweep else weight[row[i]]
                for c in range(2):
                    total[m, d + c] += w * residual[row[i], d + c]
                    mass[m, d + c] += w
        count = np.zeros(LEAVES)
        for i in range(len(row)):
            count[leaf_of[i]] += 1.0
        for m in range(LEAVES):
            for d in range(dims):
                if mass[m, d] > 0.0:
                    out[m, d] = total[m, d] / mass[m, d] * (count[m] / (count[m] + ridge))


def fit(
    features: Floats,
    target: Floats,
    weight: Floats,
    rng: np.random.Generator,
    *,
    loss: Loss,
    trees: int,
    rate: float,
    rows: int,
    min_rows: int = 40,
    split_on: list[int] | None = None,
) -> Trees:
    """Fit an ensemble.

    Parameters
    ----------
    features : (k, F).
    target : (k, D) what to reach; one-hot classes for ``classes``; pairs along and across for ``distance``.
    weight : (k,) weights.
    rng : draws the rows that each tree sees.
    loss : ``distance`` sums the lengths of pairs of outputs, ``absolute`` the sizes of single ones, ``classes`` is cross entropy.
    split_on : outputs whose gradients choose the splits, all where absent; leaves always carry all.
    trees, rate, rows, min_rows : how many, how much of each leaf is taken, rows per tree and per leaf.
    """
    edges = [np.unique(np.quantile(column, np.linspace(0, 1, BINS + 1)[1:-1])) for column in features.T]
    codes = np.stack([np.searchsorted(e, column, side="left") for e, column in zip(edges, features.T, strict=True)], axis=1)
    codes = codes.astype(np.uint8)
    if loss == "classes":
        share = np.average(target, axis=0, weights=weight) + 1e-6
        start = np.log(share / share.sum())
    elif loss == "absolute":
        start = np.median(target, axis=0)
    else:
        start = np.zeros(target.shape[1])
    score = np.tile(start, (len(target), 1))
    out: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats]] = []
    for _ in range(trees):
        gradient = _gradient(target, score, loss) * weight[:, None]
        chosen = gradient if split_on is None else np.ascontiguousarray(gradient[:, split_on])
        row = rng.choice(len(target), min(rows, len(target)), replace=False)
        feature, cut, leaf_of = _grow(codes, chosen, row, min_rows, 20.0)
        leaf = np.zeros((LEAVES, target.shape[1]))
        if loss == "distance":
            _medians(leaf_of, row, target - score, weight, 20.0, leaf)
        else:
            mass = np.bincount(leaf_of, weights=weight[row], minlength=LEAVES)
            for d in range(target.shape[1]):
                leaf[:, d] = np.bincount(leaf_of, weights=gradient[row, d], minlength=LEAVES) / (mass + 20.0)
            leaf *= 3.0 if loss == "classes" else 1.5
        leaf *= rate
        score += leaf[_leaves_of(codes, feature, cut)]
        out.append((feature, cut, leaf))
    threshold = np.array(
        [[edges[f][c] if c < len(edges[f]) else np.inf for f, c in zip(fs, cs, strict=True)] for fs, cs, _ in out]
    )
    return Trees(np.array([o[0] for o in out]), threshold, np.array([o[2] for o in out]), start)


def _gradient(target: Floats, score: Floats, loss: Loss) -> Floats:
    """Direction in which each output should move."""
    if loss == "classes":
        odds = np.exp(score - score.max(axis=1, keepdims=True))
        return np.asarray(target - odds / odds.sum(axis=1, keepdims=True))
    residual = target - score
    if loss == "absolute":
        return np.asarray(np.clip(residual / 0.3, -1.0, 1.0))
    pairs = residual.reshape(len(residual), -1, 2)
    length = np.maximum(np.hypot(pairs[..., 0], pairs[..., 1]), 0.02)
    return np.asarray((pairs / length[..., None]).reshape(residual.shape))
