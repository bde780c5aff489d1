"""Turns ticks into the recording: rows of devices ten times a second, events as they happen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from factory.margin import LinkMargin
from factory.recording import Recorder, RunFolder
from factory.snapshot import AGV_PARTS, person_parts
from factory.stop_record import StopRecorder
from factory.twin import Tick, Twin
from factory.what_if import WhatIf
from radio.messages.delivery import CAUSES
from radio.types import Plan
from robots.state import MODES

Floats = npt.NDArray[np.float64]
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
def _keeps_legs(trp, beam, usable, last_trp, last_beam, last_usable):  # type: ignore[no-untyped-def]
    """Whether the legs of a plan (U, 2) are those of the last one, first legs as usable as they were."""
    for u in range(last_trp.shape[0]):
        if usable[u, 0] != last_usable[u, 0]:
            return False
        for leg in range(2):
            if trp[u, leg] != last_trp[u, leg] or beam[u, leg] != last_beam[u, leg]:
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
        self._margin = LinkMargin(scenario.radio, twin.traffic, len(twin.devices))
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
        self._stops = StopRecorder(folder.path, self._machines, self._n_agv)
        self._off: Ints = np.zeros(0, np.int64)
        self._pressed = 0
        self._pseudonyms: tuple[str, ...] = ()
        self._mode: Ints = np.full(len(self._machines), -1, np.int64)
        self._orders = 0
        self._last_plan: Plan | None = None
        self._what_if = WhatIf(twin)
        self._in_contact: set[tuple[int, str, int]] = set()
        self._position_m: Floats = np.zeros((len(twin.devices), 3))

    def add(self, tick: Tick) -> None:
        """Record one tick."""
        self._position_m = tick.scene.ues.position_m
        if tick.people.pseudonym != self._pseudonyms:
            self._rename(tick)
        self._losses(tick)
        self._changes(tick)
        self._beams(tick)
        self._machine_events(tick)
        self._stops.add(tick.time_us, self._twin.stops.take())
        if tick.air is not None and (tick.air.off is not None or len(self._off)):
            self._trp_events(tick)
        if tick.time_us % self._period_us == 0:
            self._rows(tick)
        self._what_if.end_tick()

    def close(self) -> None:
        """Write the stops, those that last to the end included, and what was down since the last recorded instant.

        The recorder has its own ``close``, which comes after this.
        """
        self.recorder.add_down(self._position_m, self._twin.tracker.take()[0])
        self._stops.close(self._twin.stops.unfinished(self._twin.time_us))

    def _trp_events(self, tick: Tick) -> None:
        """Note TRPs that went out of service or came back."""
        air = tick.air
        off = np.flatnonzero(air.off) if air is not None and air.off is not None else np.zeros(0, np.int64)
        for kind, which in (("trp_down", np.setdiff1d(off, self._off)), ("trp_up", np.setdiff1d(self._off, off))):
            for trp in which.tolist():
                x, y, _ = self._twin.scenario.radio.trps[trp].position_m
                self.recorder.add_event(tick.time_us, kind, trp=self._trps[trp], x_m=x, y_m=y)
        self._off = off

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
        for k, (network, d) in enumerate(zip(self._twin.networks, tick.delivered, strict=True)):
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
                more=self._what_if.of_losses(k, tick, lost),
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
        plan, last = self._twin.networks[0].plan, self._last_plan
        assert plan is not None  # a network that stepped has a plan
        if plan is last:
            return
        self._last_plan = plan  # nobody writes into a plan
        if last is None or _keeps_legs(plan.trp, plan.beam, plan.usable, last.trp, last.beam, last.usable):
            return
        same = (plan.trp == last.trp) & (plan.beam == last.beam)
        usable, was_usable = plan.usable[:, 0], last.usable[:, 0]
        for ue in np.flatnonzero(was_usable & ~usable & (plan.trp[:, 0] == last.trp[:, 0])):
            self._leg_event(tick, "beam_failure", last, int(ue), 0, "")
        for ue in np.flatnonzero(~same[:, 0]):
            before = f"from {self._trps[last.trp[ue, 0]]} beam {last.beam[ue, 0]}"
            self._leg_event(tick, "beam_switch", plan, int(ue), 0, before)
        for ue in np.flatnonzero(usable & ~was_usable):
            self._leg_event(tick, "leg_restored", plan, int(ue), 0, "")
        for ue in np.flatnonzero(~same[:, 1]):
            if plan.trp[ue, 1] < 0:
                self._leg_event(tick, "second_leg", last, int(ue), 1, "given up")
            elif plan.trp[ue, 1] != last.trp[ue, 0] or plan.beam[ue, 1] != last.beam[ue, 0]:
                self._leg_event(tick, "second_leg", plan, int(ue), 1, "prepared")

    def _leg_event(self, tick: Tick, kind: str, plan: Plan, ue: int, leg: int, detail: str) -> None:
        x, y = tick.scene.ues.position_m[ue, :2]
        self.recorder.add_event(
            tick.time_us,
            kind,
            device=self._twin.devices[ue],
            policy=self._twin.networks[0].policy,
            trp=self._trps[plan.trp[ue, leg]],
            beam=int(plan.beam[ue, leg]),
            x_m=float(x),
            y_m=float(y),
            detail=detail,
        )

    def _machine_events(self, tick: Tick) -> None:
        if not _keeps_modes(tick.agvs.mode, tick.cobots.mode, self._mode):
            self._mode_events(tick)
        for stop in self._twin.emergency.stopped[self._pressed :]:
            self._pressed += 1
            by_radio = (
                f"{stop.message_us / 1e3:.1f} ms until its message arrived" if stop.message_us >= 0 else "stopped by its silence"
            )
            cobot = self._machines[self._n_agv + stop.cobot]
            detail = f"{cobot} stood after {stop.standing_us / 1e3:.1f} ms, {by_radio}"
            panel = self._twin.devices[len(self._machines) + stop.panel]
            self.recorder.add_event(stop.pressed_us, "emergency_stop", device=panel, detail=detail)
        for order in self._twin.fleet.finished_since(self._orders):
            self._orders += 1
            self.recorder.add_event(
                order.finished_us, "order_finished", device=self._machines[order.agv], detail=f"order {order.order_id}"
            )
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
            more=self._what_if.of_devices(tick),
        )
        self.recorder.add_people(tick.time_us, tick.people.position_m, tick.people.present)
