"""A synthetic radio section, plans and link states for the packet tests; no geometry behind them."""

import numpy as np

from radio.config import RadioConfig, ServiceConfig, TrpConfig
from radio.messages.traffic import Traffic, build_traffic
from radio.types import LinkState, Plan

DT_US = 10_000
CLASSES = ("agv",) * 12 + ("cobot",) * 4 + ("panel",) * 3


def radio_config(n_trp: int = 4, **changes: object) -> RadioConfig:
    trps = tuple(TrpConfig(name=f"trp-{t}", position_m=(10.0 * t, 5.0, 7.0)) for t in range(n_trp))
    return RadioConfig(trps=trps, **changes)  # type: ignore[arg-type]


def one_stream(config: RadioConfig, **service: object) -> Traffic:
    """One AGV with one service."""
    services = (ServiceConfig(name="only", devices="agv", **service),)  # type: ignore[arg-type]
    return build_traffic(config.model_copy(update={"services": services}), ("agv",), np.random.default_rng(3))


def make_plan(
    n_ue: int, n_trp: int, sinr_db: float = 20.0, second: bool = False, repetitions: int = 1, usable: bool = True
) -> Plan:
    trp = np.full((n_ue, 2), -1)
    trp[:, 0] = np.arange(n_ue) % n_trp
    if second:
        trp[:, 1] = (np.arange(n_ue) + 1) % n_trp
    return Plan(
        trp=trp,
        beam=np.where(trp >= 0, 0, -1),
        sector=np.where(trp >= 0, 0, -1),
        usable=np.full((n_ue, 2), usable),
        repetitions=np.full(n_ue, repetitions),
        sinr_dl_db=np.full(n_ue, sinr_db),
        sinr_ul_db=np.full(n_ue, sinr_db),
    )


def make_state(
    n_ue: int,
    sinr_db: float = 26.0,
    clear_db: float | None = None,
    quiet_db: float | None = None,
    shadow_db: float | None = None,
    body_db: float = 0.0,
    owner: int = -1,
    second_db: float | None = None,
) -> LinkState:
    def legs(first: float | None, default: float) -> np.ndarray:
        value = default if first is None else first
        out = np.full((n_ue, 2), float(value))
        if second_db is not None:
            out[:, 1] = second_db
        return out

    sinr, clear, quiet = legs(sinr_db, 0), legs(clear_db, sinr_db), legs(quiet_db, sinr_db)
    shadow = legs(shadow_db, max(sinr_db, clear_db or -1e9))
    return LinkState(
        sinr, sinr.copy(), clear, clear.copy(), quiet, quiet.copy(), shadow, shadow.copy(),
        np.full((n_ue, 2), body_db), np.full((n_ue, 2), owner), np.full((n_ue, 2), 2 * owner),
    )  # fmt: skip
