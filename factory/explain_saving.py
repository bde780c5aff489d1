"""What would have saved the messages of an outage: counterfactuals from what the run recorded of each loss.

An option is held against every lost message of the outage by the SINR that it needs; none of it is simulated again. What other
transmission points could have done is known of the first message, and then five times a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

REPETITION_DB = 10.0 * float(np.log10(2.0))
"""What a second copy is worth by chase combining [dB]."""
_FULL = 0.999  # share of spent symbols from which nothing was left


@dataclass(frozen=True, slots=True)
class Option:
    """Something that would have carried messages that were lost.

    Attributes
    ----------
    kind : ``other_trp``, ``second_leg``, ``robust_mcs``, ``resources``, ``no_interference``, ``no_body``, ``no_interruption``,
        ``repetition``, ``fresh_beam`` or ``coverage``.
    trp : transmission point that it is about, "" for none.
    carried, of : how many of the messages that can be judged it would have carried.
    by_db : by how much, the median over those that it carries (over all where it carries none) [dB]; NaN where decibels do not
        apply.
    text : the same in words.
    """

    kind: str
    trp: str
    carried: int
    of: int
    by_db: float
    text: str

    @property
    def saves(self) -> bool:
        """Whether it would have carried most of the messages."""
        return self.of > 0 and 2 * self.carried > self.of


# What is asked first of an outage of a cause; what is left follows in the order of `_OPTIONS`.
_FIRST: dict[str, tuple[str, ...]] = {
    "body": ("other_trp", "robust_mcs", "no_body"),
    "interference": ("no_interference", "robust_mcs", "other_trp"),
    "recovery": ("second_leg", "no_interruption"),
    "no_resources": ("resources", "other_trp"),
    "adaptation": ("robust_mcs", "other_trp"),
    "static_shadow": ("other_trp", "coverage"),
    "stale_beam": ("fresh_beam", "other_trp"),
    "decoding": ("repetition", "second_leg"),
    "trp_down": ("second_leg", "other_trp"),
}


_OF_CAUSE = ("second_leg", "no_interruption", "repetition", "resources", "fresh_beam", "coverage")
"""Options that are held against outages of the causes alone that ask for them."""


def options(losses: pd.DataFrame, cause: str) -> tuple[Option, ...]:
    """Hold every option against the lost messages of an outage.

    Parameters
    ----------
    losses : "packet_lost" events of the outage with the columns of `factory.record_columns.LOSS_COLUMNS`.
    cause : the cause of the outage; of its messages those count that were lost for it, unless only others tell of another TRP.

    Returns
    -------
    Options that can be judged, the suggestion first: those that would have carried most messages, of these the one that the cause
    asks for first. Empty where the run did not record what is needed.
    """
    if losses.empty or "need_db" not in losses or not np.isfinite(losses["need_db"].to_numpy(dtype=np.float64)).any():
        return ()
    caused = losses[losses["cause"] == cause]
    if _elsewhere(caused).empty:
        caused = pd.concat((caused, _elsewhere(losses)))
    losses = caused
    first = _FIRST.get(cause, ())
    found = [option for make in _OPTIONS if (option := make(losses, cause)) is not None]
    found = [o for o in found if o.kind in first or (o.saves and o.kind not in _OF_CAUSE)]
    rank = {kind: place for place, kind in enumerate(first)}
    return tuple(sorted(found, key=lambda o: (not o.saves, o.carried == 0, rank.get(o.kind, len(first)))))


def _column(losses: pd.DataFrame, name: str) -> Floats:
    return losses[name].to_numpy(dtype=np.float64)


def _judged(kind: str, trp: str, ok: npt.NDArray[np.bool_], by_db: Floats) -> tuple[str, str, int, int, float]:
    told = by_db[ok] if ok.any() else by_db
    told = told[np.isfinite(told)]
    return kind, trp, int(ok.sum()), len(ok), float(np.median(told)) if len(told) else float("nan")


def _most(words: pd.Series) -> str:
    """Most frequent word, the first of the alphabet when equal."""
    counts = words[words != ""].astype(object).value_counts()
    return str(sorted(counts.index[counts == counts.max()])[0]) if len(counts) else ""


def _elsewhere(losses: pd.DataFrame) -> pd.DataFrame:
    """Return the losses of which the best other transmission point is known."""
    return losses[np.isfinite(_column(losses, "other_margin_db"))]


def _other_trp(losses: pd.DataFrame, cause: str) -> Option | None:
    looked = _elsewhere(losses)
    if looked.empty:
        return None
    trp = _most(looked["other_trp"])
    margin_db = _column(looked, "other_margin_db")
    ok = margin_db >= 0.0
    if cause == "no_resources":
        ok &= _column(looked, "other_load") < _FULL
    head = _judged("other_trp", trp, ok, margin_db)
    if not ok.any():
        text = f"no other TRP had margin: the best, {trp}, was {-head[4]:.0f} dB below what a message needs"
        if cause == "no_resources" and margin_db.max() >= 0.0:
            text = f"TRP {trp} had no symbols left either"
        return Option(*head, text)
    free = 100.0 * (1.0 - float(np.median(_column(looked, "other_load"))))
    text = f"TRP {trp} had {head[4]:.0f} dB more than a message needs at that instant, and {free:.0f} % of its symbols free"
    return Option(*head, text)


def _second_leg(losses: pd.DataFrame, cause: str) -> Option | None:
    looked = _elsewhere(losses)
    looked = looked[looked["usable_legs"] < 2]
    if looked.empty or cause == "no_resources":
        return None
    trp, margin_db = _most(looked["other_trp"]), _column(looked, "other_margin_db")
    head = _judged("second_leg", trp, margin_db >= 0.0, margin_db)
    if not head[2]:
        return None
    return Option(*head, f"a second leg over {trp}, prepared beforehand, with {head[4]:.0f} dB more than a message needs")


def _robust_mcs(losses: pd.DataFrame, cause: str) -> Option | None:
    sent = losses[losses["mcs"] > 0]
    if sent.empty or cause in ("decoding", "no_resources"):
        return None
    short_db = _column(sent, "sent_need_db") - _column(sent, "sinr_db")
    spare_db = _column(sent, "sinr_db") - _column(sent, "need_db")
    head = _judged("robust_mcs", "", (short_db > 0.0) & (spare_db >= 0.0), spare_db)
    mcs = int(np.median(sent["mcs"]))
    if not head[2]:
        if not (short_db > 0.0).any():
            return None
        return Option(*head, f"no MCS would have done: the SINR lay {-head[4]:.0f} dB below what the most robust one needs")
    short = float(np.median(short_db[short_db > 0.0]))
    text = f"a more robust MCS: MCS {mcs} lacked {short:.0f} dB; at the true SINR a message has {head[4]:.0f} dB to spare"
    return Option(*head, text)


def _resources(losses: pd.DataFrame, cause: str) -> Option | None:
    if cause != "no_resources":
        return None
    trp, spent = _most(losses["trp"]), float(np.nanmax(_column(losses, "load")))
    ok = np.ones(len(losses), dtype=bool)
    head = _judged("resources", trp, ok, np.full(len(losses), np.nan))
    return Option(*head, f"more beam time or bandwidth: {trp} had spent up to {100 * spent:.0f} % of a tick's symbols")


def _no_interference(losses: pd.DataFrame, cause: str) -> Option | None:
    heard = losses[losses["mcs"] >= 0]
    if heard.empty:
        return None
    gain_db = _column(heard, "quiet_db") - _column(heard, "sinr_db")
    lacked = _column(heard, "sent_need_db")
    ok = (gain_db > 1.0) & (_column(heard, "quiet_db") >= lacked) & (_column(heard, "sinr_db") < lacked)
    if not ok.any():
        return None
    trp = _most(heard["interferer"])
    head = _judged("no_interference", trp, ok, gain_db)
    whose = f"from the cell of {trp}" if trp else "from other cells"
    return Option(*head, f"no interference {whose}: {head[4]:.0f} dB more SINR, by muting, another carrier or fewer neighbours")


def _no_body(losses: pd.DataFrame, cause: str) -> Option | None:
    gain_db = _column(losses, "clear_db") - _column(losses, "sinr_db")
    needed = np.fmax(_column(losses, "sent_need_db"), _column(losses, "need_db"))
    ok = (gain_db > 1.0) & (_column(losses, "clear_db") >= needed) & (_column(losses, "sinr_db") < needed)
    if not ok.any():
        return None
    head = _judged("no_body", "", ok, gain_db)
    return Option(*head, f"nobody in the path: {head[4]:.0f} dB more SINR on the same beam")


def _no_interruption(losses: pd.DataFrame, cause: str) -> Option | None:
    waiting = losses[losses["usable_legs"] == 0]
    if waiting.empty:
        return None
    spare_db = _column(waiting, "sinr_db") - _column(waiting, "need_db")
    trp = _most(waiting["trp"])
    head = _judged("no_interruption", trp, spare_db >= 0.0, spare_db)
    if not head[2]:
        text = f"not a shorter interruption alone: the beam of {trp} lay {-head[4]:.0f} dB below what a message needs"
        return Option(*head, text)
    return Option(*head, f"a shorter interruption: the beam of {trp} itself had {head[4]:.0f} dB more than a message needs")


def _repetition(losses: pd.DataFrame, cause: str) -> Option | None:
    sent = losses[(losses["mcs"] >= 0) & (losses["loss_probability"] < 1.0)]
    if sent.empty:
        return None
    spare_db = _column(sent, "sinr_db") + REPETITION_DB - _column(sent, "sent_need_db")
    head = _judged("repetition", "", spare_db >= 0.0, spare_db)
    if not head[2]:
        return None
    return Option(*head, f"one repetition: {REPETITION_DB:.0f} dB by combining, {head[4]:.0f} dB more than the MCS needs")


def _fresh_beam(losses: pd.DataFrame, cause: str) -> Option | None:
    if cause != "stale_beam":
        return None
    head = _judged("fresh_beam", _most(losses["trp"]), np.ones(len(losses), dtype=bool), np.full(len(losses), np.nan))
    return Option(*head, "a beam that keeps up with the device: the best beam of the empty hall would have carried it")


def _coverage(losses: pd.DataFrame, cause: str) -> Option | None:
    if cause != "static_shadow":
        return None
    lacked_db = _column(losses, "need_db") - _column(losses, "sinr_db")
    ok = np.ones(len(losses), dtype=bool)
    head = _judged("coverage", "", ok, lacked_db)
    return Option(*head, f"a TRP that sees this place: the serving one lacks {head[4]:.0f} dB here even in the empty hall")


_OPTIONS: Sequence[Callable[[pd.DataFrame, str], Option | None]] = (
    _other_trp,
    _second_leg,
    _robust_mcs,
    _resources,
    _no_interference,
    _no_body,
    _no_interruption,
    _repetition,
    _fresh_beam,
    _coverage,
)
