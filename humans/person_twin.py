"""The person twin: what somebody does, how loaded and how tired they are, and how that slows them down.

Privacy. The estimates are of the present instant, live in memory only, and are erased for whoever has been out of the hall for
``forget_after_min``. They are no part of ``PeopleState``, so that neither views nor recordings can hold them;
:meth:`PersonTwin.estimates` is for the safety role and knows rotating pseudonyms only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humans.fatigue import MUSCLE_RATES_PER_S, general_fatigue, tire
from humans.person_twin_config import PersonTwinConfig
from humans.types import BoolArray, FloatArray, IntArray

_WORKLOAD_S = 900.0  # the workload is a running mean over about a quarter of an hour


@dataclass(frozen=True, slots=True)
class PersonEstimates:
    """Estimates of everybody in the hall at one instant, for the safety role.

    Attributes
    ----------
    time_us : instant [us].
    pseudonym : k rotating pseudonyms of those who are present.
    role, task : k names; a task is empty on free work, breaks and ways.
    workload : (k,) running mean of the muscles' load over 15 min, share of the greatest voluntary force.
    muscle_fatigue : (k,) fatigued share of the muscles, 0..1 (three-compartment model).
    general_fatigue : (k,) 0..1 (Jaber).
    pace, work_rate : (k,) walking speed and work per minute over those when rested, 0..1.
    lifting_index : (k,) NIOSH index of the task's lift, 0 where nothing is lifted.
    """

    time_us: int
    pseudonym: tuple[str, ...]
    role: tuple[str, ...]
    task: tuple[str, ...]
    workload: FloatArray
    muscle_fatigue: FloatArray
    general_fatigue: FloatArray
    pace: FloatArray
    work_rate: FloatArray
    lifting_index: FloatArray


class PersonTwin:
    """Workload and fatigue of n people.

    Parameters
    ----------
    config : the person_twin section.
    roles : names of all roles.
    role : (n,) everybody's role.
    rng : draws how endurance differs between people.

    Attributes
    ----------
    role_effort : (n,) load of work whose task names none.
    pace, work_rate : (n,) factors on walking speed, and on gestures and work per minute.

    Raises
    ------
    ValueError
        If ``role_effort`` names an unknown role.
    """

    def __init__(self, config: PersonTwinConfig, roles: tuple[str, ...], role: IntArray, rng: np.random.Generator) -> None:
        unknown = sorted(set(config.role_effort) - set(roles))
        if unknown:
            raise ValueError(f"person_twin.role_effort: unknown role {unknown[0]!r}; there is {', '.join(roles)}")
        n = len(role)
        self._config, self._roles, self._role = config, roles, role
        fatigue_per_s, self._recovery_per_s = MUSCLE_RATES_PER_S[config.muscle]
        variance = np.log1p(config.endurance_cv**2)
        # Endurance goes about as 1 / F, so that a lognormal F of median 1 spreads it by its coefficient of variation.
        self._fatigue_per_s: FloatArray = fatigue_per_s * rng.lognormal(0.0, np.sqrt(variance), n)
        self.role_effort: FloatArray = np.array([config.role_effort.get(roles[r], 0.0) for r in role], dtype=np.float64)
        self._workload: FloatArray = np.zeros(n)
        self._tired: FloatArray = np.zeros(n)
        self._general: FloatArray = np.zeros(n)
        self._gone_s: FloatArray = np.zeros(n)
        self.pace: FloatArray = np.ones(n)
        self.work_rate: FloatArray = np.ones(n)

    def advance(self, dt_s: float, load: FloatArray, working: BoolArray, present: BoolArray) -> None:
        """Take in what everybody did for the last ``dt_s``.

        Parameters
        ----------
        dt_s : time [s].
        load : (n,) load on the muscles as a share of the greatest voluntary force, 0 at rest.
        working : (n,) whether at work or on the way between stations; others rest.
        present : (n,) whether in the hall.
        """
        config = self._config
        load = np.where(present, load, 0.0)
        self._workload += (load - self._workload) * (1.0 - np.exp(-dt_s / _WORKLOAD_S))
        self._tired = tire(self._tired, load, self._fatigue_per_s, self._recovery_per_s, config.rest_multiplier, dt_s)
        rates = config.tiring_per_h / 3600.0, config.recovery_per_h / 3600.0
        self._general = general_fatigue(self._general, working & present, *rates, dt_s)
        self._gone_s = np.where(present, 0.0, self._gone_s + dt_s)
        self.forget(self._gone_s > 60.0 * config.forget_after_min)
        self.pace = 1.0 - (1.0 - config.slowest_pace) * self._general
        # Where less muscle is left than the load asks for, work is slower still.
        able = np.minimum(1.0, (1.0 - self._tired) / np.maximum(load, 1e-9))
        self.work_rate = np.maximum((1.0 - (1.0 - config.slowest_work) * self._tired) * able, 0.1)

    def forget(self, who: BoolArray) -> None:
        """Erase the estimates of ``who`` (n,)."""
        for values in (self._workload, self._tired, self._general):
            values[who] = 0.0

    def estimates(
        self, time_us: int, pseudonym: tuple[str, ...], present: BoolArray, task: tuple[str, ...], lifting_index: FloatArray
    ) -> PersonEstimates:
        """Return the estimates of those who are present; for the safety role alone.

        Parameters
        ----------
        time_us : instant [us].
        pseudonym, task : n rotating pseudonyms and names of tasks.
        present : (n,) whether in the hall.
        lifting_index : (n,) of everybody's task.
        """
        here = np.flatnonzero(present)
        return PersonEstimates(
            time_us=time_us,
            pseudonym=tuple(pseudonym[i] for i in here),
            role=tuple(self._roles[self._role[i]] for i in here),
            task=tuple(task[i] for i in here),
            workload=self._workload[here],
            muscle_fatigue=self._tired[here],
            general_fatigue=self._general[here],
            pace=self.pace[here],
            work_rate=self.work_rate[here],
            lifting_index=lifting_index[here],
        )
