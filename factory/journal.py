"""Turns ticks into the recording: rows of devices ten times a second, events as they happen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from factory.margin import LinkMargin
from factory.recording import Recorder, RunFolder
from factory.snapshot import AGV_PARTS, person_parts
from factory.twin import Tick, Twin
from radio.delivery import CAUSES
from radio.types import Plan
from robots.state import MODES

Ints = npt.NDArray[np.int64]

_NO_LINK = -200.0
_STOPPED = MODES.index("communication")


@njit(cache=True)
def _any_lost(ok):  # type: ignore[no-untyped-def]
    for arrived in ok:
        if not arrived:
            return True
    return False


@njit(cache=True)
def _keeps_beams(trp, beam, serving_trp, serving_beam):  # type: ignore[no-untyped-def]
    """Whether the first legs of a plan (U, 2) are the ones that serve already (U,)."""
    for u in range(serving_trp.shape[0]):
        if trp[u, 0] != serving_trp[u] or beam[u, 0] != serving_beam[u]:
            return False
    return True


@njit(cache=True)
def _keeps_modes(agv, cobot, mode):  # type: ignore[no-untyped-def]
    """Whether AGVs (n,) and cobots (m,) are in the modes (n + m,) that they were in."""
    n = agv.shape[0]
    for i in range(mode.shape[0]):
        if mode[i] != (agv[i] if i < n else cobot[i - n]):
            return False
    return True


class Journal:
    """Feeds a :class:`factory.recording.Recorder` with what a twin does.

    Parameters
    ----------
    twin : the twin.
    folder : run folder to write to.
    """

    def __init__(self, twin: Twin, folder: RunFolder) -> None:
        scenario = twin.scenario
        self._twin = twin
        self._period_us = scenario.recording.period_ms * 1000
        self._margin = LinkMargin(scenario.radio, twin.traffic)
        self._n_agv, self._n_cobot = twin.fleet.n, len(twin.cobots.names)
        n_panel = len(twin.devices) - self._n_agv - self._n_cobot
        self._machines = twin.devices[: self._n_agv + self._n_cobot]
        self._trps = tuple(t.name for t in scenario.radio.trps)
        self.recorder = Recorder(
            folder,
            devices=twin.devices,
            modes=[MODES] * len(self._machines) + [("carried",)] * n_panel,
            services=twin.traffic.service_name,
            trps=self._trps,
            causes=CAUSES,
            hall_size_m=scenario.hall.size_m,
            config=scenario.recording,
        )
        self._pseudonyms: tuple[str, ...] = ()
        self._mode: Ints = np.full(len(self._machines), -1, np.int64)
        self._orders = 0
        self._serving: tuple[Ints, Ints] | None = None
        self._in_contact: set[tuple[int, str, int]] = set()

    def add(self, tick: Tick) -> None:
        """Record one tick."""
        if tick.people.pseudonym != self._pseudonyms:
            self._rename(tick)
        self._losses(tick)
        self._changes(tick)
        self._beams(tick)
        self._machine_events(tick)
        if tick.time_us % self._period_us == 0:
            self._rows(tick)

    def _rename(self, tick: Tick) -> None:
        """Pseudonyms rotate: from now on blockers carry the new ones."""
        self._pseudonyms = tick.people.pseudonym
        names = (*self._pseudonyms, *self._machines)
        person = person_parts(self._twin.scenario.radio.blockage.model)
        parts = [person] * len(self._pseudonyms) + [AGV_PARTS] * self._n_agv
        parts += [tuple(f"link {k}" for k in range(self._twin.n_links))] * self._n_cobot
        people_roles = [self._twin.crowd.role_names[r] for r in tick.people.role]
        self.recorder.set_blockers(names, parts, [*people_roles, *(["agv"] * self._n_agv), *(["cobot"] * self._n_cobot)])
        self.recorder.set_people(self._pseudonyms)

    def _losses(self, tick: Tick) -> None:
        position = tick.scene.ues.position_m
        for network, d in zip(self._twin.networks, tick.delivered, strict=True):
            if not _any_lost(d.ok):
                continue
            lost = np.flatnonzero(~d.ok)
            ue = self._twin.traffic.ue[d.stream[lost]]
            self.recorder.add_losses(
                network.policy,
                time_us=d.time_us[lost],
                device=ue,
                service=self._twin.traffic.service[d.stream[lost]],
                cause=d.cause[lost],
                blocker=d.owner[lost],
                part=d.part[lost],
                trp=d.trp[lost],
                beam=d.beam[lost],
                x_m=position[ue, 0],
                y_m=position[ue, 1],
                sinr_db=d.sinr_db[lost],
                loss_probability=d.loss_probability[lost],
            )

    def _changes(self, tick: Tick) -> None:
        if tick.changes is None or not len(tick.changes.stream):
            return
        d, traffic, policy = tick.delivered[0], self._twin.traffic, self._twin.networks[0].policy
        for stream, time_us, down, row in zip(
            tick.changes.stream, tick.changes.time_us, tick.changes.down, tick.changes.row, strict=True
        ):
            ue = int(traffic.ue[stream])
            x, y = tick.scene.ues.position_m[ue, :2]
            self.recorder.add_event(
                int(time_us),
                "service_down" if down else "service_up",
                device=self._twin.devices[ue],
                service=traffic.service_name[traffic.service[stream]],
                policy=policy,
                cause=CAUSES[d.cause[row]] if down else "",
                x_m=float(x),
                y_m=float(y),
            )

    def _beams(self, tick: Tick) -> None:
        if not self._twin.networks:
            return
        network = self._twin.networks[0]
        plan = network.plan
        assert plan is not None  # a network that stepped has a plan
        if self._serving is not None:
            trp, beam = self._serving
            if _keeps_beams(plan.trp, plan.beam, trp, beam):
                return
            for ue in np.flatnonzero((plan.trp[:, 0] != trp) | (plan.beam[:, 0] != beam)):
                self._beam_event(tick, plan, int(ue), f"from {self._trps[trp[ue]]} beam {beam[ue]}")
        self._serving = plan.trp[:, 0].copy(), plan.beam[:, 0].copy()

    def _beam_event(self, tick: Tick, plan: Plan, ue: int, detail: str) -> None:
        x, y = tick.scene.ues.position_m[ue, :2]
        self.recorder.add_event(
            tick.time_us,
            "beam_switch",
            device=self._twin.devices[ue],
            policy=self._twin.networks[0].policy,
            trp=self._trps[plan.trp[ue, 0]],
            beam=int(plan.beam[ue, 0]),
            x_m=float(x),
            y_m=float(y),
            detail=detail,
        )

    def _machine_events(self, tick: Tick) -> None:
        if not _keeps_modes(tick.agvs.mode, tick.cobots.mode, self._mode):
            self._mode_events(tick)
        orders = self._twin.fleet.finished_orders
        if len(orders) > self._orders:
            for order in orders[self._orders :]:
                self.recorder.add_event(
                    order.finished_us, "order_finished", device=self._machines[order.agv], detail=f"order {order.order_id}"
                )
            self._orders = len(orders)
        if tick.time_us % 100_000 == 0:
            contacts = set(tick.contacts)
            for person, kind, index in sorted(contacts - self._in_contact):
                machine = self._machines[index + (self._n_agv if kind == "cobot" else 0)]
                self.recorder.add_event(tick.time_us, "contact", device=machine, blocker=self._pseudonyms[person])
            self._in_contact = contacts

    def _mode_events(self, tick: Tick) -> None:
        before, now = self._mode, np.concatenate((tick.agvs.mode, tick.cobots.mode))
        self._mode = now
        if before.min(initial=0) < 0:
            return  # the first tick: nothing has changed yet
        for m in np.flatnonzero((now == _STOPPED) != (before == _STOPPED)):
            kind = "protective_stop" if now[m] == _STOPPED else "restart"
            x, y = tick.scene.ues.position_m[m, :2]
            self.recorder.add_event(tick.time_us, kind, device=self._machines[m], x_m=float(x), y_m=float(y))

    def _rows(self, tick: Tick) -> None:
        twin, ues = self._twin, tick.scene.ues
        n = len(twin.devices)
        none = np.full(n, -1, np.int64)
        mode = np.zeros(n, np.int64)
        mode[: len(self._machines)] = np.concatenate((tick.agvs.mode, tick.cobots.mode))
        speed = np.zeros(n)
        speed[: self._n_agv] = tick.agvs.speed_mps
        down_s, risk = twin.tracker.take()
        network = twin.networks[0] if twin.networks else None
        plan = network.plan if network else None
        state = network.state if network else None
        lost = np.full(n, np.nan)
        self.recorder.add_ticks(
            tick.time_us,
            position_m=ues.position_m,
            speed_mps=speed,
            mode=mode,
            trp=none if plan is None else plan.trp[:, 0],
            beam=none if plan is None else plan.beam[:, 0],
            second_trp=none if plan is None else plan.trp[:, 1],
            sinr_dl_db=lost if state is None else np.maximum(state.sinr_dl_db[:, 0], _NO_LINK),
            sinr_ul_db=lost if state is None else np.maximum(state.sinr_ul_db[:, 0], _NO_LINK),
            margin_db=lost if state is None or plan is None else self._margin.of(state, plan.trp),
            body_loss_db=lost if state is None else state.body_loss_db[:, 0],
            blocker=none if state is None else state.owner[:, 0],
            blocker_part=none if state is None else state.part[:, 0],
            loss_probability=risk,
            down_s=down_s,
        )
        self.recorder.add_people(tick.time_us, tick.people.position_m, tick.people.present)
