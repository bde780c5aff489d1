"""How probable it is that a link will be blocked: drawn futures of whole bodies, run through the radio's own kernel.

Every future is one possible hall: all people in it move together, so what two transmission points lose at the same time is known
too. That is what redundancy rests on: two links that one body can cut at once are no two links.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from factory.snapshot import Scene
from radio.links import Channel

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BLOCKED_DB = 10.0
"""Loss from which a link counts as blocked where nothing else is said [dB]."""
_SMALLEST_GAIN = 1e-30


@dataclass(frozen=True, slots=True)
class BlockageForecast:
    """What bodies will cost every link, in S drawn futures at H horizons; U UEs, T TRPs, B beams.

    Attributes
    ----------
    time_us : when it was made [us].
    horizon_us : (H,) how far ahead [us].
    loss_db : (S, H, U, T) loss of the beam pair that is best in the empty hall, remainder included [dB]; NaN where the link has
        no path. Bodies can brighten a link: then it is negative.
    beam_loss_db : (S, H, U, T, B) the same of every beam with its best sector [dB]; None where it was not asked for.
    """

    time_us: int
    horizon_us: Ints
    loss_db: Floats
    beam_loss_db: Floats | None

    def probability(self, threshold_db: float = BLOCKED_DB) -> Floats:
        """Probability (H, U, T) that a link loses ``threshold_db`` or more; NaN where it has no path.

        With S futures of which k are blocked it is (k + 1/2) / (S + 1), the mean of Jeffreys' posterior: no finite number of
        futures proves that something cannot happen.
        """
        return self._share(self.loss_db >= threshold_db, np.asarray(np.isnan(self.loss_db[0])))

    def beam_probability(self, threshold_db: float = BLOCKED_DB) -> Floats:
        """Probability (H, U, T, B) that a beam loses ``threshold_db`` or more."""
        if self.beam_loss_db is None:
            raise ValueError("the losses of single beams were not kept; ask for the forecast with beams=True")
        return self._share(self.beam_loss_db >= threshold_db, np.asarray(np.isnan(self.beam_loss_db[0])))

    def joint_probability(self, ue: int, trps: Sequence[int], threshold_db: float = BLOCKED_DB) -> Floats:
        """Probability (H,) that all of several TRPs are blocked for a UE at the same time."""
        losses = self.loss_db[:, :, ue, list(trps)]
        together = np.asarray((losses >= threshold_db).all(axis=-1))
        return self._share(together, np.asarray(np.isnan(losses[0]).any(axis=-1)))

    def quantile_db(self, share: float) -> Floats:
        """Loss (H, U, T) that is not exceeded in that share of the futures [dB]; NaN where a link has no path."""
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"share {share} is no quantile; give 0 to 1, for example 0.9")
        quantile: Floats = np.quantile(self.loss_db, share, axis=0)
        return quantile

    def _share(self, blocked: npt.NDArray[np.bool_], absent: npt.NDArray[np.bool_]) -> Floats:
        share: Floats = (blocked.sum(axis=0) + 0.5) / (len(blocked) + 1.0)
        share[absent] = np.nan
        return share


def forecast_blockage(
    channel: Channel, time_us: int, futures: Sequence[Sequence[Scene]], *, beams: bool = False
) -> BlockageForecast:
    """Run drawn futures through the radio.

    Parameters
    ----------
    channel : the hall's channel; what it remembers of the present is left alone.
    time_us : now [us].
    futures : S futures of H scenes each, at the same H instants.
    beams : whether the loss of every beam is kept.

    Raises
    ------
    ValueError
        If there is no future, or the futures are of different instants.
    """
    if not futures or not futures[0]:
        raise ValueError("no futures to run: give at least one, with a scene for each horizon")
    instants = [scene.time_us for scene in futures[0]]
    if any([s.time_us for s in future] != instants for future in futures):
        raise ValueError(f"the futures are of different instants; all must be of {instants} us")
    n_ue = len(futures[0][0].ues.position_m)
    shape = (len(futures), len(instants), n_ue, channel.n_trp)
    loss_db = np.empty(shape)
    beam_loss_db = np.empty((*shape, channel.n_beams)) if beams else None
    for h in range(len(instants)):
        paths, clear, best, known = None, np.empty(0), np.empty(0, np.int64), None
        for s, future in enumerate(futures):
            scene = future[h]
            ues = scene.ues
            # Futures differ in their bodies; antennas move with them only where somebody holds one.
            if known is None or not (
                np.array_equal(known.position_m, ues.position_m) and np.array_equal(known.heading_rad, ues.heading_rad)
            ):
                known, paths = ues, channel.paths(ues, remember=False)
                clear = channel.sweep(paths, ues, None, scene.time_us).gain
                best = clear.reshape(n_ue, channel.n_trp, -1).argmax(axis=2)
            assert paths is not None
            found = channel.blockage(paths, scene.blockers, ues)
            gain = channel.sweep(paths, ues, found.loss_db, scene.time_us).gain
            pair_db = _decibels(clear) - _decibels(gain)
            pair_db[clear <= _SMALLEST_GAIN] = np.nan
            loss_db[s, h] = np.take_along_axis(pair_db.reshape(n_ue, channel.n_trp, -1), best[..., None], axis=2)[..., 0]
            if beam_loss_db is not None:
                sector = clear.argmax(axis=3)[..., None]
                beam_loss_db[s, h] = np.take_along_axis(pair_db, sector, axis=3)[..., 0]
    horizon_us = np.array(instants, dtype=np.int64) - time_us
    return BlockageForecast(time_us, horizon_us, loss_db, beam_loss_db)


def _decibels(gain: Floats) -> Floats:
    result: Floats = 10.0 * np.log10(np.maximum(gain, _SMALLEST_GAIN))
    return result
