"""The planner's choice solved exactly, to tell how far `radio.policies.choice` is from it."""

from __future__ import annotations

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from radio.types import FloatArray, IntArray


def choose_exactly(cost: FloatArray, value: FloatArray, limit: FloatArray) -> IntArray:
    """Choose one option per device (U,), within all limits, with the least worth: a mixed-integer programme solved by HiGHS.

    Parameters
    ----------
    cost, value, limit : as `radio.policies.choice.choose`.

    Raises
    ------
    ValueError
        If no choice keeps all limits, or the solver gives up.
    """
    n_ue, n_option, n_resource = cost.shape
    there = np.isfinite(value)
    rows = np.repeat(np.arange(n_ue), n_option)
    one_each = csr_array((np.ones(n_ue * n_option), (rows, np.arange(n_ue * n_option))))
    # resources as shares of their limits: numbers near one are what the solver's tolerances are made for
    spent = (cost / np.maximum(limit, 1e-9)).reshape(-1, n_resource).T
    scale = float(np.abs(value[there]).max()) or 1.0
    found = milp(
        np.where(there, value, 0.0).ravel() / scale,
        integrality=np.ones(n_ue * n_option),
        bounds=Bounds(0.0, there.ravel().astype(np.float64)),
        constraints=[LinearConstraint(one_each, 1.0, 1.0), LinearConstraint(spent, -np.inf, 1.0)],
        options={"mip_rel_gap": 0.0},
    )
    if found.x is None:
        raise ValueError(f"no choice within the limits {limit.tolist()} was found: {found.message}")
    return np.asarray(found.x.reshape(n_ue, n_option).argmax(axis=1), dtype=np.int64)
