"""Where people come from: a recording, a shift plan, or roles that share out a number of people."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from humans.config import PeopleConfig
from humans.crowd import Crowd
from humans.replay import ReplayCrowd
from humans.shift_crowd import ShiftCrowd
from humans.types import WalkSpace


def create_crowd(config: PeopleConfig, space: WalkSpace, rng: np.random.Generator, base_dir: Path | None) -> Crowd | ReplayCrowd:
    """Return simulated people, or recorded ones where the configuration names a recording.

    Parameters
    ----------
    config, space, rng : as in :class:`Crowd`.
    base_dir : folder that a relative ``replay`` path starts from, the working folder when absent.
    """
    if config.replay is not None:
        return ReplayCrowd(config, space, rng, base_dir)
    if config.shift is not None:
        return ShiftCrowd(config, space, rng, base_dir)
    return Crowd(config, space, rng)
