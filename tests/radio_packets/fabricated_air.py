"""A channel made of numbers: gains that wander, bodies that come and go, and the link state of any plan, without geometry."""

from types import SimpleNamespace

import numpy as np

from radio.types import Blockers, LinkState, Sweep, Ues

N_BEAM, N_SECTOR = 8, 2


def nobody(n_ue):
    """Devices and bodies of a scene, for a channel that looks at neither."""
    none, index = np.zeros((0, 3)), np.zeros(0, np.int64)
    ues = Ues(np.zeros((n_ue, 3)), np.zeros(n_ue), np.full(n_ue, -1))
    return ues, Blockers(none, none, np.zeros((0, 2)), np.zeros(0), index, index, index)


class SomeBlockage:
    """Says that there are bodies; the channel knows by itself which."""

    loss_db = field = 0.0


class FabricatedChannel:
    """Answers what a ``Network`` and an ``Ether`` ask of a channel.

    Gains wander by some dB, and a fifth of the links loses 30 dB for 100 ms at a time, by bodies numbered by UE and TRP.
    """

    def __init__(self, config, n_ue, seed):
        rng = np.random.default_rng(seed)
        self.n_trp = len(config.trps)
        self._base_db = rng.uniform(-12, 26, (n_ue, self.n_trp, N_BEAM, N_SECTOR))
        self._dips = rng.random((64, n_ue, self.n_trp)) < 0.2

    def body_db(self, time_us):
        return np.where(self._dips[time_us // 100_000 % 64], 30.0, 0.0)

    def clear_db(self, time_us):
        return self._base_db + 4.0 * np.sin(time_us * 2e-6 + self._base_db)

    def paths(self, ues, needed=None, remember=True):
        return SimpleNamespace(n_ue=len(self._base_db), n_trp=self.n_trp)

    def blockage(self, paths, blockers, ues, needed=None):
        return SomeBlockage

    def sweep(self, paths, ues, loss, time_us, needed=None):
        """Sweep of a time, with its bodies unless ``loss`` is None; 0 where it is not needed."""
        snr_db = self.clear_db(time_us)
        if loss is not None:
            snr_db = snr_db - self.body_db(time_us)[:, :, None, None]
        gain = 10.0 ** ((snr_db - 100.0) / 10.0)
        if needed is not None:
            gain[~needed.reshape(gain.shape[:2])] = 0.0
        return Sweep(time_us, gain)

    def states(self, paths, ues, blockage, plans, load_dl, load_ul, empty, *, time_us):
        return tuple(self.state(p, dl, ul, time_us) for p, dl, ul in zip(plans, load_dl, load_ul, strict=True))

    def state(self, plan, load_dl, load_ul, time_us):
        """Uplink 3 dB below the downlink, interference by load; every SINR under a ceiling of 29 dB."""
        used = plan.trp >= 0
        u = np.nonzero(used)[0]
        at = u, plan.trp[used], plan.beam[used], plan.sector[used]
        clear, body = np.full(plan.trp.shape, np.nan), np.full(plan.trp.shape, np.nan)
        clear[used] = np.minimum(self.clear_db(time_us)[at], 29.0)
        body[used] = self.body_db(time_us)[at[:2]]
        heard_dl, heard_ul = 3.0 * load_dl.mean(), 5.0 * load_ul.mean()
        place = np.repeat(np.minimum(self.clear_db(time_us).max(axis=(1, 2, 3)), 29.0)[:, None], 2, axis=1)
        owner = np.where(body > 0.0, 100 * np.arange(len(plan.trp))[:, None] + plan.trp, -1)
        return LinkState(
            clear - body - heard_dl, clear - body - heard_ul - 3.0, clear - heard_dl, clear - heard_ul - 3.0,
            clear - body, clear - body - 3.0, place, place - 3.0, body, owner, np.where(owner >= 0, 7, -1),
        )  # fmt: skip
