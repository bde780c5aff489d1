"""Say what a fit means: which parameters the log told, which it did not and why, and what to look at before using it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from radio.config import RadioConfig
from radio.fitting.calibration_csv import MeasurementLog
from radio.fitting.calibration_model import Parameter
from radio.fitting.calibration_result import (
    LARGEST_CORRELATION,
    LARGEST_SD_SHARE,
    NORMAL_95,
    CalibrationResult,
    Comparison,
    ErrorFigures,
    Estimate,
    Level,
)
from radio.propagation.materials import VACUUM_PERMITTIVITY_F_PER_M
from radio.types import ComplexArray, FloatArray, IntArray

# An offset of more prior standard deviations than this is no small correction.
FAR_FROM_PRIOR = 3.0
LARGEST_UNCOVERED_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the fit hands over to be put into words.

    Attributes
    ----------
    config : radio section that was fitted.
    materials, permittivity, frequency_hz : materials in use, their permittivity (C, M) and the carriers (C,) [Hz].
    parameters, x, covariance : K parameters, their offsets (K,) and covariance (K, K).
    held_reason : (K) why a parameter was not fitted, empty where it was.
    rivals : parameters and another offset that fits as well.
    noise_db : scale of the residuals [dB].
    rows, effective_rows, spread_deg : (T,) fitted rows, rows counted as independent, and cone of directions [deg] of each TRP.
    trained, held_out : errors before and after.
    uncovered : rows with a value where the model finds no path.
    log : the log.
    headed : whether the log gives the device's heading.
    rsrp_per : power that the log holds.
    """

    config: RadioConfig
    materials: tuple[str, ...]
    permittivity: ComplexArray
    frequency_hz: FloatArray
    parameters: tuple[Parameter, ...]
    x: FloatArray
    covariance: FloatArray
    held_reason: tuple[str, ...]
    rivals: dict[int, float]
    noise_db: float
    rows: IntArray
    effective_rows: FloatArray
    spread_deg: FloatArray
    trained: Comparison
    held_out: Comparison | None
    uncovered: int
    log: MeasurementLog
    headed: bool
    rsrp_per: str


def finish(outcome: Outcome) -> CalibrationResult:
    """Turn the fit's numbers into a result."""
    sd = np.sqrt(np.diag(outcome.covariance))
    correlation = outcome.covariance / np.outer(sd, sd)
    share = sd / np.array([p.prior_sd for p in outcome.parameters])
    estimates = tuple(_estimate(outcome, k, sd, share, correlation) for k in range(len(outcome.x)))
    common = next((e.offset for e in estimates if e.parameter.kind == "common_gain" and e.used), 0.0)
    return CalibrationResult(
        estimates=estimates,
        levels=_levels(outcome),
        covariance=outcome.covariance,
        noise_db=outcome.noise_db,
        effective_rows=outcome.effective_rows,
        trained=outcome.trained,
        held_out=outcome.held_out,
        weak_directions=_weak_directions(outcome, share),
        notes=tuple(_notes(outcome)),
        warnings=tuple(_warnings(outcome, estimates)),
        gain_offset_db=tuple((t.name, t.gain_offset_db + common) for t in outcome.config.trps),
    )


def _nominal(outcome: Outcome, parameter: Parameter) -> float:
    i = parameter.index
    if parameter.kind in ("power", "azimuth", "downtilt"):
        trp = outcome.config.trps[i]
        return {"power": trp.tx_power_dbm, "azimuth": trp.azimuth_deg, "downtilt": trp.downtilt_deg}[parameter.kind]
    if parameter.kind == "permittivity":
        return float(outcome.permittivity[0, i].real)
    if parameter.kind == "conductivity":
        return float(-outcome.permittivity[0, i].imag * 2.0 * math.pi * outcome.frequency_hz[0] * VACUUM_PERMITTIVITY_F_PER_M)
    return outcome.config.blockage.body_scale if parameter.kind == "body_scale" else math.nan


def _estimate(outcome: Outcome, k: int, sd: FloatArray, share: FloatArray, correlation: FloatArray) -> Estimate:
    parameter, offset, half = outcome.parameters[k], float(outcome.x[k]), NORMAL_95 * float(sd[k])
    nominal = _nominal(outcome, parameter)

    def at(shift: float) -> float:
        if parameter.unit == "ln":
            return nominal * math.exp(shift)
        if parameter.unit == "ratio":
            return nominal * (1.0 + shift)
        return shift if math.isnan(nominal) else nominal + shift

    reason, used = outcome.held_reason[k], not outcome.held_reason[k]
    if used and share[k] > LARGEST_SD_SHARE:
        reason, used = f"the log leaves {share[k]:.0%} of the uncertainty that was there before", False
    elif used:
        others = np.abs(correlation[k])
        others[k] = 0.0
        j = int(np.argmax(others))
        if others[j] > LARGEST_CORRELATION:
            reason = f"known only together with {outcome.parameters[j].name} (correlation {correlation[k, j]:.2f})"
    if used and abs(outcome.rivals.get(k, offset) - offset) > NORMAL_95 * sd[k]:
        reason = f"{at(outcome.rivals[k]):.3g} fits as well as {at(offset):.3g}"
    if parameter.unit == "ln" and len(outcome.frequency_hz) > 1:
        used = False
    return Estimate(
        parameter, nominal, offset, float(sd[k]), at(offset), at(offset - half), at(offset + half), not reason, reason, used
    )


def _levels(outcome: Outcome) -> tuple[Level, ...]:
    index = {(p.kind, p.index): k for k, p in enumerate(outcome.parameters)}
    c = index.get(("common_gain", -1))
    levels = []
    for t, trp in enumerate(outcome.config.trps):
        k = index.get(("power", t))
        if c is None or k is None or outcome.rows[t] == 0:
            continue
        variance = outcome.covariance[c, c] + outcome.covariance[k, k] + 2.0 * outcome.covariance[c, k]
        half = NORMAL_95 * math.sqrt(max(float(variance), 0.0))
        total = float(outcome.x[c] + outcome.x[k])
        rival = total + outcome.rivals.get(k, float(outcome.x[k])) - float(outcome.x[k])
        levels.append(Level(trp.name, total, min(total, rival) - half, max(total, rival) + half))
    return tuple(levels)


def _weak_directions(outcome: Outcome, share: FloatArray) -> tuple[str, ...]:
    """Mixes that the log leaves as uncertain as before, of parameters that it does narrow each."""
    narrowed = np.array([not r for r in outcome.held_reason]) & (share <= LARGEST_SD_SHARE)
    told = np.flatnonzero(narrowed)
    if told.size < 2:
        return ()
    prior_sd = np.array([p.prior_sd for p in outcome.parameters])[told]
    values, vectors = np.linalg.eigh(outcome.covariance[np.ix_(told, told)] / np.outer(prior_sd, prior_sd))
    found = []
    for i in np.flatnonzero(np.sqrt(np.maximum(values, 0.0)) > LARGEST_SD_SHARE)[::-1]:
        vector = vectors[:, i]
        large = np.flatnonzero(np.abs(vector) > 0.3 * np.abs(vector).max())
        large = large[np.argsort(-np.abs(vector[large]), kind="stable")]
        sign = np.sign(vector[large[0]])
        up = [outcome.parameters[told[j]].name for j in large if vector[j] * sign > 0]
        down = [outcome.parameters[told[j]].name for j in large if vector[j] * sign < 0]
        sides = " and ".join(f"{', '.join(side)} {way}" for side, way in ((up, "up"), (down, "down")) if side)
        found.append(f"{sides} at once: the log looks the same")
    return tuple(found)


def _notes(outcome: Outcome) -> list[str]:
    log = outcome.log
    notes = [
        f"{len(log.line)} rows, {log.n_heard} with an RSRP; "
        f"{outcome.trained.after.rows} fitted, {outcome.held_out.after.rows if outcome.held_out else 0} held out"
    ]
    for count, text in (
        (log.off_floor, "rows left out because they lie a little outside the hall or inside a box"),
        (log.repeated, "exact repetitions left out"),
        (log.conflicting, "rows with the time, place and TRP of another row but a different RSRP kept"),
        (log.reordered, "rows stood out of the order of time and were sorted"),
        (outcome.uncovered, "rows left out because the model finds no path to their place"),
    ):
        if count:
            notes.append(f"{count} {text}")
    if outcome.rsrp_per == "resource_element":
        notes.append("RSRP is read as the power of one resource element (TS 38.215), not of the whole carrier")
    if not outcome.headed:
        notes.append(
            "no heading_deg in the log: the receiver is taken as equally sensitive all round, its gain is in common gain"
        )
    if _levels(outcome):
        notes.append(
            "common gain and the TRPs' powers cannot be parted by a log, only their sums; the priors share the sum out. "
            "A receiver of known gain (common gain left out of the fit) parts them"
        )
    if outcome.held_out is None:
        notes.append("the log is too short to hold rows out: the errors are those of rows that were fitted")
    if len(outcome.frequency_hz) > 1:
        notes.append("with several carriers materials are fitted as factors, and are not part of the fragment")
    return notes


def _worse(what: str, before: ErrorFigures, after: ErrorFigures) -> list[str]:
    if before.rows and after.rmse_db > before.rmse_db:
        return [f"{what} got worse: RMSE {before.rmse_db:.2f} dB before, {after.rmse_db:.2f} dB after"]
    return []


def _warnings(outcome: Outcome, estimates: tuple[Estimate, ...]) -> list[str]:
    found: list[str] = []
    held_out = outcome.held_out
    if held_out is not None:
        worse = _worse("the held-out rows", held_out.before, held_out.after)
        found += [f"{w}; do not take this result over" for w in worse]
        for name, before, after in held_out.per_trp:
            found += _worse(f"held-out rows of {name}", before, after)
    for t, trp in enumerate(outcome.config.trps):
        if outcome.rows[t] == 0:
            found.append(f"{trp.name} was never heard: nothing of it is calibrated")
        elif outcome.effective_rows[t] < 10:
            found.append(
                f"{trp.name}: {outcome.rows[t]} rows that count as {outcome.effective_rows[t]:.0f} independent ones; "
                "record more places for it"
            )
    for e in estimates:
        p = e.parameter
        if abs(e.offset) > 0.98 * p.bound:
            found.append(f"{p.name} stopped at the end of its range; something else than it is wrong")
        elif abs(e.offset) > FAR_FROM_PRIOR * p.prior_sd:
            found.append(
                f"{p.name} moved by {e.offset:+.2f} {p.unit}, {abs(e.offset) / p.prior_sd:.1f} times its prior "
                "standard deviation; check positions, names and the hall's boxes"
            )
    if outcome.uncovered > LARGEST_UNCOVERED_SHARE * outcome.log.n_heard:
        found.append(
            f"TRPs were heard in {outcome.uncovered} of {outcome.log.n_heard} rows where the model has no path; "
            "check the hall's boxes and the frame of the places"
        )
    return found


def report_text(result: CalibrationResult) -> str:
    """Return the result as plain text, a table of parameters first."""
    lines = [f"{'parameter':<34}{'before':>9}{'after':>9}{'95 % interval':>21}  {'':<3}"]
    for e in result.estimates:
        p = e.parameter
        before = "" if math.isnan(e.nominal) else f"{e.nominal:.4g}"
        unit = {"power": "dBm", "common_gain": "dB", "azimuth": "deg", "downtilt": "deg", "conductivity": "S/m"}.get(p.kind, "")
        if e.reason and not e.used:
            lines.append(f"{p.name:<34}{before:>9}{'':>9}{'':>21}  {unit:<4} not identified: {e.reason}".rstrip())
            continue
        interval = f"{e.low:.4g} to {e.high:.4g}"
        mark = f" {e.reason}" if e.reason else ""
        lines.append(f"{p.name:<34}{before:>9}{e.value:>9.4g}{interval:>21}  {unit:<4}{mark}".rstrip())
    if result.levels:
        lines += ["", "common gain and transmit power together, offset from the scenario:"]
        lines += [f"  {v.trp:<32}{v.offset_db:>+8.2f} dB  ({v.low_db:+.2f} to {v.high_db:+.2f})" for v in result.levels]
    for what, comparison in (("rows held out", result.held_out), ("rows fitted", result.trained)):
        if comparison is None:
            continue
        lines += ["", f"{what:<34}{'rows':>7}{'RMSE':>16}{'median |error|':>18}{'95 % |error|':>18}   dB, before > after"]
        for name, b, a in (("all", comparison.before, comparison.after), *comparison.per_trp):
            pairs = ((b.rmse_db, a.rmse_db, 16), (b.median_db, a.median_db, 18), (b.p95_db, a.p95_db, 18))
            lines.append(f"  {name:<32}{b.rows:>7}" + "".join(f"{f'{x:.2f} > {y:.2f}':>{w}}" for x, y, w in pairs))
    lines += ["", f"scatter around the fit {result.noise_db:.2f} dB (robust standard deviation)"]
    for title, texts in (("weak", result.weak_directions), ("note", result.notes), ("WARNING", result.warnings)):
        lines += [f"{title}: {text}" for text in texts]
    return "\n".join(lines) + "\n"
