"""The estimator of calibration: robust least squares with Gaussian priors, its covariance, and its rivals."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

from radio.fitting.calibration_model import ForwardModel
from radio.types import BoolArray, FloatArray

# 95 % efficient at a normal distribution (Huber and Ronchetti 2009).
TUKEY_C = 4.685
SOFT_L1_C = 1.5
# Median absolute deviation to standard deviation, normal distribution.
MAD_TO_SD = 1.4826
# Another minimum within this of the best counts as fitting as well: odds of 150 to 1, since many minima are compared.
RIVAL_COST = 10.0
# A rival of this much more cost before the rest was fitted to it is not followed.
HOPELESS_COST = 40.0
START_OFFSETS_DEG = np.linspace(-15.0, 15.0, 9)
LARGEST_MODE_COUNT = 4
DIFFERENT_DEG = 1.0
_NEIGHBOURS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
SCAN_STEPS = 73
MANY_VALUED = ("permittivity", "body_scale")
# Slopes that make an interval are taken over so much, because the strongest beam may change within the interval.
INTERVAL_STEP_DEG = 0.75
SCAN_PRIOR_SDS = 3.0


@dataclass(frozen=True, slots=True)
class Task:
    """One minimisation.

    Attributes
    ----------
    model : forward model of n rows and K parameters.
    train : (n,) rows that are fitted.
    free : (K,) parameters that are fitted; the others stay.
    noise_db : scale of the residuals [dB].
    correlation : (T,) neighbouring rows of a TRP that count as one.
    loss : ``tukey``, ``soft_l1`` or ``linear``.
    """

    model: ForwardModel
    train: BoolArray
    free: BoolArray
    noise_db: float
    correlation: FloatArray
    loss: str

    @property
    def prior_sd(self) -> FloatArray:
        """(K,) prior standard deviations."""
        return np.array([p.prior_sd for p in self.model.parameters])

    @property
    def weight(self) -> FloatArray:
        """(n_train,) weight of every fitted row."""
        out: FloatArray = 1.0 / self.correlation[self.model.trp[self.train]]
        return out

    @property
    def tuning2(self) -> float:
        """Square of the loss's tuning constant."""
        return {"tukey": TUKEY_C, "soft_l1": SOFT_L1_C, "linear": 1.0}[self.loss] ** 2

    def cost_of_rows(self, predicted_dbm: FloatArray) -> FloatArray:
        """Cost of every fitted row, their sum being a chi-square for normal residuals, at a prediction (n,) [dBm]."""
        square = ((self.model.measured_dbm - predicted_dbm)[self.train] / self.noise_db) ** 2
        out: FloatArray = self.weight * rho(self.loss, square / self.tuning2)[0] * self.tuning2
        return out

    def cost(self, x: FloatArray) -> float:
        """Cost of the rows and of the priors at offsets ``x`` (K,)."""
        return float(self.cost_of_rows(self.model.predict(x)).sum() + np.sum((x / self.prior_sd) ** 2))


def rho(loss: str, u: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Loss of a squared residual u in units of its tuning constant squared, and its first two derivatives."""
    if loss == "linear":
        return u, np.ones_like(u), np.zeros_like(u)
    if loss == "soft_l1":
        root = np.sqrt(1.0 + u)
        return 2.0 * (root - 1.0), 1.0 / root, -0.5 / root**3
    left = np.maximum(1.0 - u, 0.0)
    return (1.0 - left**3) / 3.0, left**2, -2.0 * left


def scale_db(error_db: FloatArray) -> float:
    """Robust standard deviation of errors (n,) [dB]: their median absolute deviation; 0 for none."""
    return float(MAD_TO_SD * np.median(np.abs(error_db - np.median(error_db)))) if len(error_db) else 0.0


def correlated_rows(error_db: FloatArray, noise_db: float) -> float:
    """Rows of a series of errors (n,) [dB] that count as one: 1 + 2 sum of autocorrelations, up to the first that is chance.

    Errors are clipped at three times ``noise_db`` first, so that a few wild ones do not hide the rest.
    """
    n = len(error_db)
    if n < 10:
        return 1.0
    series = np.clip(error_db - np.median(error_db), -3.0 * noise_db, 3.0 * noise_db)
    series = series - series.mean()
    power = float(series @ series)
    if power <= 0.0:
        return 1.0
    total = 1.0
    for lag in range(1, n // 4):
        found = float(series[:-lag] @ series[lag:]) / power
        if found < 2.0 / np.sqrt(n):
            break
        total += 2.0 * found
    return min(total, n / 4.0)


def minimise(task: Task, x: FloatArray) -> FloatArray:
    """Offsets (K,) of least cost, from a start ``x`` (K,)."""
    model, train, free = task.model, task.train, task.free
    prior_sd = task.prior_sd[free]
    bound = np.array([p.bound for p in model.parameters])[free] / prior_sd
    measured, weight, n, c2 = model.measured_dbm[train], task.weight, int(train.sum()), task.tuning2
    whole = x.copy()

    def at(z: FloatArray) -> FloatArray:
        whole[free] = z * prior_sd
        return whole

    def residual(z: FloatArray) -> FloatArray:
        return np.concatenate([(measured - model.predict(at(z))[train]) / task.noise_db, z])

    def jacobian(z: FloatArray) -> FloatArray:
        slope = model.jacobian(at(z))[train][:, free] * (-prior_sd / task.noise_db)
        return np.concatenate([slope, np.eye(len(z))])

    def robust(square: FloatArray) -> FloatArray:
        # The loss is for the rows; priors stay Gaussian.
        out = np.stack([square, np.ones_like(square), np.zeros_like(square)])
        value, first, second = rho(task.loss, square[:n] / c2)
        out[:, :n] = weight * np.stack([c2 * value, first, second / c2])
        return out

    start = np.clip(x[free] / prior_sd, -0.99 * bound, 0.99 * bound)
    found = least_squares(
        residual, start, jac=jacobian, bounds=(-bound, bound), loss=robust,
        max_nfev=60, ftol=1e-6, xtol=1e-4, gtol=1e-6,
    )  # fmt: skip
    out = x.copy()
    out[free] = found.x * prior_sd
    return out


def other_values(task: Task, x: FloatArray) -> tuple[FloatArray, dict[int, float]]:
    """Look for other permittivities and body scales: a layer's reflections and a shadow's edges have fringes.

    Returns
    -------
    x : (K,) offsets of least cost among ``x`` and what was found.
    rivals : parameter and the offset of its best rival that fits as well.
    """
    model, prior_sd = task.model, task.prior_sd
    best, best_cost = x, task.cost(x)
    rivals: list[tuple[int, FloatArray, float]] = []
    for k, parameter in enumerate(model.parameters):
        if parameter.kind not in MANY_VALUED or not task.free[k]:
            continue
        half = min(SCAN_PRIOR_SDS * prior_sd[k], 0.99 * parameter.bound)
        values = np.linspace(-half, half, SCAN_STEPS)
        cost = np.array([task.cost_of_rows(row).sum() for row in model.scan(x, k, values)]) + (values / prior_sd[k]) ** 2
        inner = np.flatnonzero((cost[1:-1] < cost[:-2]) & (cost[1:-1] <= cost[2:])) + 1
        near = int(np.argmin(np.abs(values - x[k])))
        likely = [i for i in inner[np.argsort(cost[inner], kind="stable")] if cost[i] < cost[near] + HOPELESS_COST]
        for i in [i for i in likely if abs(values[i] - x[k]) > 2.5 * (values[1] - values[0])][:2]:
            start = x.copy()
            start[k] = values[i]
            found = minimise(task, start)
            if abs(found[k] - x[k]) > 0.2 * prior_sd[k]:
                rivals.append((k, found, task.cost(found)))
    rivals.append((-1, x, best_cost))
    for _, found, found_cost in rivals:
        if found_cost < best_cost:
            best, best_cost = found, found_cost
    equal: dict[int, float] = {}
    for k, found, found_cost in sorted(rivals, key=lambda r: -r[2]):
        if found_cost > best_cost + RIVAL_COST:
            continue
        # The start itself may have become the rival of what was found from it.
        apart = np.abs(found - best) / prior_sd
        for j in [k] if k >= 0 else range(len(x)):
            if model.parameters[j].kind in MANY_VALUED and apart[j] > 0.2:
                equal[j] = float(found[j])
    return best, equal


def angle_starts(task: Task) -> list[FloatArray]:
    """Pairs of azimuth and downtilt offsets, per TRP (modes, 2) [deg], where a coarse search finds the residuals least uneven.

    Lobes of the codebook, and directions that mirror each other about the boresight, give the cost several minima.
    """
    model = task.model
    n_trp = len(model.departure_spread_deg)
    which = [_of_kind(task, kind) for kind in ("azimuth", "downtilt")]
    grids = [START_OFFSETS_DEG if index else np.zeros(1) for index in which]
    cost = np.full((n_trp, len(grids[0]), len(grids[1])), np.inf)
    for i, azimuth in enumerate(grids[0]):
        for j, downtilt in enumerate(grids[1]):
            x = np.zeros(len(model.parameters))
            for k in which[0].values():
                x[k] = azimuth
            for k in which[1].values():
                x[k] = downtilt
            error = model.measured_dbm - model.predict(x)
            for t in range(n_trp):
                mine = error[task.train & (model.trp == t)]
                cost[t, i, j] = float(np.mean(np.abs(mine - np.median(mine)))) if len(mine) else 0.0
    starts = []
    for t in range(n_trp):
        padded = np.pad(cost[t], 1, constant_values=np.inf)
        around = [padded[1 + di : padded.shape[0] - 1 + di, 1 + dj : padded.shape[1] - 1 + dj] for di, dj in _NEIGHBOURS]
        low = np.argwhere(cost[t] <= np.min(around, axis=0))
        low = low[np.argsort(cost[t][low[:, 0], low[:, 1]], kind="stable")][:LARGEST_MODE_COUNT]
        starts.append(np.column_stack([grids[0][low[:, 0]], grids[1][low[:, 1]]]))
    return starts


def angle_modes(task: Task, x: FloatArray, starts: list[FloatArray]) -> tuple[FloatArray, list[FloatArray], dict[int, float]]:
    """Follow every start of the angles to its minimum and take each TRP's best; TRPs do not depend on each other here.

    Parameters
    ----------
    task : what is fitted; of it only powers and angles.
    x : (K,) offsets of all else.
    starts : per TRP (modes, 2) offsets of azimuth and downtilt [deg].

    Returns
    -------
    x : (K,) offsets with each TRP's best power and angles.
    starts : the minima that may still become the best, best first.
    rivals : parameters of TRPs whose angles have another minimum that fits as well, and their offsets there.
    """
    model = task.model
    azimuth, downtilt, power = (_of_kind(task, kind) for kind in ("azimuth", "downtilt", "power"))
    if not azimuth and not downtilt:
        return x, starts, {}
    part = replace(task, free=task.free & np.array([p.kind in ("azimuth", "downtilt", "power") for p in model.parameters]))
    found: list[list[tuple[float, FloatArray]]] = [[] for _ in starts]
    for mode in range(max(len(s) for s in starts)):
        start = x.copy()
        for t, modes in enumerate(starts):
            for index, column in ((azimuth, 0), (downtilt, 1)):
                if t in index:
                    start[index[t]] = modes[min(mode, len(modes) - 1), column]
        end = minimise(part, start)
        rows = task.cost_of_rows(model.predict(end))
        prior = (end / task.prior_sd) ** 2
        for t, modes in enumerate(starts):
            if mode < len(modes):
                mine = [index[t] for index in (azimuth, downtilt, power) if t in index]
                found[t].append((float(rows[model.trp[task.train] == t].sum() + prior[mine].sum()), end))
    rivals: dict[int, float] = {}
    out, left = x.copy(), []
    for t, modes_found in enumerate(found):
        modes_found.sort(key=lambda f: f[0])
        best_cost, best = modes_found[0]
        for index in (azimuth, downtilt, power):
            if t in index:
                out[index[t]] = best[index[t]]
        near = [end for cost, end in modes_found if cost < best_cost + HOPELESS_COST]
        left.append(np.array([[end[index[t]] if t in index else 0.0 for index in (azimuth, downtilt)] for end in near]))
        for cost, end in modes_found[:0:-1]:
            turned = max((abs(end[index[t]] - best[index[t]]) for index in (azimuth, downtilt) if t in index), default=0.0)
            if cost < best_cost + RIVAL_COST and turned > DIFFERENT_DEG:
                rivals |= {index[t]: float(end[index[t]]) for index in (azimuth, downtilt, power) if t in index}
    return out, left, rivals


def _of_kind(task: Task, kind: str) -> dict[int, int]:
    """Parameters of a kind that are fitted, by TRP."""
    return {p.index: k for k, p in enumerate(task.model.parameters) if p.kind == kind and task.free[k]}


def covariance_of(task: Task, x: FloatArray) -> FloatArray:
    """Covariance (K, K) of all offsets: Huber's sandwich for the fitted ones, the prior for the held ones, and what these do."""
    model, train, free = task.model, task.train, task.free
    prior_sd, n_free = task.prior_sd, int(task.free.sum())
    slope = model.jacobian(x, INTERVAL_STEP_DEG)[train] * prior_sd
    square = ((model.measured_dbm - model.predict(x))[train] / task.noise_db) ** 2
    _, first, second = rho(task.loss, square / task.tuning2)
    bend = max(float(np.mean(first + 2.0 * square * second / task.tuning2)), 0.1)
    push = float(np.mean(square * first**2))
    weight = task.weight / task.noise_db**2
    told = slope[:, free].T @ (slope[:, free] * weight[:, None])
    inverse = np.linalg.inv(bend * told + np.eye(n_free))
    of_held = inverse @ (bend * slope[:, free].T @ (slope[:, ~free] * weight[:, None]))
    out = np.eye(len(x))
    out[np.ix_(free, free)] = inverse @ (push * told + np.eye(n_free)) @ inverse + of_held @ of_held.T
    out[np.ix_(free, ~free)] = -of_held
    out[np.ix_(~free, free)] = -of_held.T
    scaled: FloatArray = out * prior_sd[:, None] * prior_sd[None, :]
    return scaled
