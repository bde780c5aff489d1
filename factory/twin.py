"""The twin: one tick from footsteps to lost packets.

Read :meth:`Twin.tick` first; everything else in this file builds what it uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bridges.inbox import Inbox
from factory.emergency import EmergencyStops
from factory.observed import Observed
from factory.outages import Changes, DownTracker
from factory.outlook import Outlook
from factory.rooms import blaming, channel_seed, draw_seed, generator, radio_hall, walk_space
from factory.scenario import LoadedScenario
from factory.snapshot import CobotLinks, Scene, blockers_of, device_names, ues_of
from factory.steering import Steering
from factory.stop_ledger import Stops
from factory.world import LINK_RADIUS_M, World, WorldSpec
from factory.zones import Zones
from humans.sources import create_crowd
from humans.tracked_crowd import TrackedCrowd
from humans.types import Occupancy, PeopleModel, PeopleState
from radio.config import RadioConfig
from radio.figures.energy import ResourceAccount
from radio.figures.kpi_parts import latency_quantile_us
from radio.links import Channel
from radio.messages.delivery import Delivered
from radio.messages.traffic import build_traffic, resolve
from radio.network import Air, Ether, create_networks, step_all
from robots.breakdowns import Breakdowns
from robots.cobot import Cobots
from robots.fleet import Fleet
from robots.safety import nearest_person
from robots.state import BREAKDOWN, AgvState, CobotState

if TYPE_CHECKING:
    from factory.live_twin import LiveTwin

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PEOPLE_SYNC_US = 100_000  # people in Bullet follow at 10 Hz, see ARCHITECTURE.md

ZONES_US = 100_000  # devices are looked for in the zones at 10 Hz
LATENCY_SHARE = 0.999  # of the messages that arrived: latency that a separation reckons with

# Who takes parts from a cobot: somebody slower than this, and near enough for the arm to turn to.
TAKER_STANDS_MPS, TAKER_CALLED_M = 0.3, 2.5


@dataclass(frozen=True, slots=True)
class Tick:
    """What happened in one tick.

    Attributes
    ----------
    time_us : start of the tick [us].
    people, agvs, cobots, scene : where everything was.
    delivered : messages of every policy, the acting one first; empty without radio.
    changes : services that went down or came back under the acting policy.
    contacts : contacts between people and machines that Bullet confirmed.
    air : paths and blockage behind the deliveries, None without radio.
    """

    time_us: int
    people: PeopleState
    agvs: AgvState
    cobots: CobotState
    scene: Scene
    delivered: tuple[Delivered, ...]
    changes: Changes | None
    contacts: tuple[tuple[int, str, int], ...]
    air: Air | None


class Twin:
    """A hall with its people, machines and networks.

    Parameters
    ----------
    loaded : a valid scenario.
    beside_a_plant : whether people come from where the ``live`` section says; a batch run simulates them.

    Attributes
    ----------
    live : what a live twin knows of its plant, None without one.

    Raises
    ------
    ScenarioError
        Where a room refuses its section.
    """

    def __init__(self, loaded: LoadedScenario, *, beside_a_plant: bool = False) -> None:
        self.loaded = loaded
        self.scenario = scenario = loaded.scenario
        seed = scenario.seed
        self.dt_us = 1_000_000 // scenario.clock.tick_hz
        self._physics_us = 1_000_000 // scenario.clock.physics_hz
        self.time_us = 0
        self.inbox, self.steering = Inbox(), Steering(self)
        self.observed: Observed | None = None  # what real machines tell, where live mode follows some
        with blaming(loaded, "people"):
            floor = walk_space(scenario.hall, scenario.robots.cobots)
            self.crowd: PeopleModel
            if beside_a_plant and scenario.live.people_from == "tags":
                most = scenario.live.max_people or max(scenario.people.count, 1)
                self.crowd = TrackedCrowd(most, scenario.people, scenario.live.tracking, floor, generator(seed, "people"))
            else:
                folder = loaded.base_dir("people.shift" if scenario.people.shift else "people.replay")
                self.crowd = create_crowd(scenario.people, floor, generator(seed, "people"), folder)
        self.live: LiveTwin | None = None
        with blaming(loaded, "robots"):
            self.fleet = Fleet(scenario.robots, generator(seed, "fleet"), survival_time_us(scenario.radio, "agv"))
            self.cobots = Cobots(scenario.robots, generator(seed, "cobots"), survival_time_us(scenario.radio, "cobot"))
        self._hands_over = bool(np.isfinite(self.cobots.handover_m).any())
        self.n_machines = self.fleet.n + len(self.cobots.names)
        self.people = self.crowd.state()
        self.outlook = Outlook(scenario, len(self.people.present))
        self.agvs, self.cobot_state = self.fleet.state(), self.cobots.state()
        self.world = World(_world_spec(loaded, self.people))
        self.world.place_arms(self.cobot_state.joint_target_rad)
        self.devices = device_names(
            len(self.agvs.position_m), tuple(c.name for c in scenario.robots.cobots), len(self.people.panel_holder)
        )
        self._cobot_yaw = np.radians(np.array([c.yaw_deg for c in scenario.robots.cobots], dtype=np.float64))
        self.n_links = len(LINK_RADIUS_M)
        self._links = CobotLinks(*self.world.cobot_link_capsules())
        self._separation_m: Floats = np.full(len(scenario.robots.cobots), np.inf)
        self.nearest_person: Ints = np.full(len(scenario.robots.cobots), -1, np.int64)
        self._build_radio()
        self._build_stops()

    def _build_radio(self) -> None:
        radio, seed = self.scenario.radio, self.scenario.seed
        n_agv, n_cobot = self.fleet.n, len(self.cobots.names)
        classes = ["agv"] * n_agv + ["cobot"] * n_cobot + ["panel"] * len(self.people.panel_holder)
        with blaming(self.loaded, "radio"):
            self.channel = Channel(radio, radio_hall(self.scenario.hall), seed=channel_seed(seed))
            self.traffic = build_traffic(radio, classes, generator(seed, "traffic"))
            self.ether = Ether(radio, self.channel, generator(seed, "sensing"))
            policies = radio.policies if radio.enabled else ()
            self.networks = create_networks(radio, self.channel, self.traffic, policies, len(classes), draw_seed(seed))
            self.accounts = tuple(ResourceAccount(radio, self.traffic.service_name, radio.energy) for _ in self.networks)
        self.tracker = DownTracker(self.traffic, len(classes))
        # Streams whose silence stops a machine: control of the machine itself, and a panel's for the cobot it is paired with.
        # Events and copies are no streams of commands: nobody waits for one. Between two devices it is the receiver that waits.
        sent = self.traffic.sent
        control = np.flatnonzero(~self.traffic.video & ~sent.poisson & (sent.copy == 0))
        device = np.where(sent.peer >= 0, sent.peer, self.traffic.ue)[control]
        machine = np.where(device < self.n_machines, device, n_agv + (device - self.n_machines) % max(n_cobot, 1))
        kept = machine < self.n_machines
        self._guarding, self._guarded = control[kept], machine[kept]

    def _build_stops(self) -> None:
        """Build what stops machines beside people and commands, and the books of all stops."""
        n_agv, n_cobot, seed = self.fleet.n, len(self.cobots.names), self.scenario.seed
        n_panel = len(self.people.panel_holder)
        paired = np.arange(n_panel) % n_cobot if n_cobot else np.full(n_panel, -1, np.int64)
        control = self._guarding
        streams = [control[self.traffic.ue[control] == self.n_machines + p] for p in range(n_panel)]
        self.emergency = EmergencyStops(
            self.scenario.people, paired, streams, self.traffic, generator(seed, "emergency"), n_cobot
        )
        self.breakdowns = Breakdowns(self.scenario.robots.breakdowns, n_agv, n_cobot, generator(seed, "breakdowns"))
        self.zones = Zones(self.scenario.hall, self.traffic, len(self.devices))
        self.stops = Stops(self)
        self._delivered: Delivered | None = None
        self._delay_us: Ints | None = None

    def tick(self) -> Tick:
        """Advance by one tick; messages delivered in it move machines in the next."""
        now, dt = self.time_us, self.dt_us
        self.steering.apply(self.inbox.drain())
        if self.live is not None:
            self.live.take_in(now)
        overdue_us = self._overdue_us()
        halt, delay_us = self._halted(now), self._radio_delay_us(now)
        if self.observed is not None:
            broken = self.breakdowns.broken[: self.fleet.n].copy()
            halt = self.observed.begin(dt, halt, broken, len(self.cobots.names))
            self.fleet.set_broken(broken)
        self.fleet.step(now, dt, overdue_us[: self.fleet.n], self.people.position_m, self.people.present)
        self.cobots.step(
            now, dt, overdue_us[self.fleet.n :], self._separation_m, taker_m=self._takers_m(), halt=halt, radio_delay_us=delay_us
        )
        self.stops.add(now, dt)
        self.agvs, self.cobot_state = self.fleet.state(), self.cobots.state()
        if self.live is not None:
            self.agvs = self.live.agvs_at(self.agvs, 0)
        if self.observed is not None:
            self.agvs, self.cobot_state = self.observed.follow(self.agvs, self.cobot_state)
        self.crowd.step(now, dt, self._occupancy())
        self.people = self.crowd.state()
        contacts = self._physics(now)
        scene = self.scene(now, self.people, self.agvs)
        if now % ZONES_US == 0:
            self.zones.locate(scene.ues.position_m)
        delivered: tuple[Delivered, ...] = ()
        changes, air = None, None
        if self.networks:
            if self.ether.forecast_due(now):
                self.ether.take_forecast([(s.time_us, s.ues, s.blockers) for s in self._expected(now)])
            known = self.ether.begin(now, dt, scene.ues, scene.blockers)
            plans = [network.decide(known) for network in self.networks]
            air = self.ether.finish(known, scene.blockers, plans)
            delivered = step_all(self.networks, air)
            for account, messages in zip(self.accounts, delivered, strict=True):
                account.add(now, dt, messages, self.traffic, messages.spent_symbols)
            changes = self.tracker.add(delivered[0])
            self.zones.add(delivered[0])
            self._delivered = delivered[0]
        self.time_us = now + dt
        tick = Tick(now, self.people, self.agvs, self.cobot_state, scene, delivered, changes, contacts, air)
        if self.live is not None:
            self.live.watch(tick)
        return tick

    def scene(self, time_us: int, people: PeopleState, agvs: AgvState) -> Scene:
        """Return what the radio sees when people and AGVs stand like this."""
        ues = ues_of(people, agvs, self.cobot_state.antenna_m, self._cobot_yaw)
        return Scene(time_us, blockers_of(people, agvs, self._links, self.scenario.radio.blockage.model), ues)

    def _physics(self, now: int) -> tuple[tuple[int, str, int], ...]:
        """Bullet's turn: machines every physics step, people and contacts ten times a second."""
        if now % self._physics_us == 0:
            agvs = self.agvs
            self.world.step(agvs.position_m, agvs.heading_rad, agvs.load_height_m, self.cobot_state.joint_target_rad)
            self._links = CobotLinks(*self.world.cobot_link_capsules())
        links, people = self._links, self.people
        self._separation_m, self.nearest_person = nearest_person(
            people.capsule_a,
            people.capsule_b,
            people.capsule_radius_m,
            people.present,
            links.start_m,
            links.end_m,
            links.radius_m,
        )
        if now % PEOPLE_SYNC_US:
            return ()
        self.world.sync_people(people.present, people.capsule_a, people.capsule_b)
        return self.world.contacts()

    def _expected(self, now: int) -> list[Scene]:
        """Scenes that a network can expect: people by the outlook, AGVs as they plan, arms stay where they are."""
        scenes = []
        rates = None if self.outlook.forecaster is None else self.crowd.gesture_rates()
        for horizon_us, futures in zip(
            self.outlook.horizon_us.tolist(), self.outlook.ahead(now, self.people, rates), strict=True
        ):
            agvs = self.agvs_ahead(horizon_us)
            if self.observed is not None:
                agvs = self.observed.ahead(agvs, horizon_us / 1e6)
            scenes += [self.scene(now + horizon_us, people, agvs) for people in futures]
        return scenes

    def agvs_ahead(self, horizon_us: int) -> AgvState:
        """Return the fleet as it will be if undisturbed; real AGVs as their shadows go on."""
        agvs = self.fleet.state_ahead(horizon_us / 1e6)
        return agvs if self.live is None else self.live.agvs_at(agvs, horizon_us)

    def _takers_m(self) -> Floats | None:
        """Distance from each cobot's hand-over place to the nearest person who stands there [m], inf for none."""
        if not self._hands_over:
            return None
        people = self.people
        waits = people.present & (np.hypot(*people.velocity_mps.T) < TAKER_STANDS_MPS)
        distance = np.hypot(*(people.position_m[None, :, :] - self.cobots.handover_m[:, None, :]).transpose(2, 0, 1))
        distance[~(distance < TAKER_CALLED_M) | ~waits] = np.inf
        nearest: Floats = distance.min(axis=1, initial=np.inf)
        return nearest

    def _halted(self, now: int) -> Ints | None:
        """Give what else stops cobots, (m,) mode codes or -1; put AGVs that fail out of order."""
        if not (self.breakdowns.enabled or self.emergency.enabled):
            return None
        halt, n_agv = np.full(len(self.cobots.names), -1, np.int64), self.fleet.n
        if self.emergency.enabled:
            held, standing = self.people.present[self.people.panel_holder], self.cobot_state.speed_scale == 0.0
            halt = self.emergency.step(now, self._delivered, held, standing).copy()
        if self.breakdowns.enabled:
            broken = self.breakdowns.step(now, self.dt_us, np.concatenate((self.agvs.mode, self.cobot_state.mode)))
            self.fleet.set_broken(broken[:n_agv])
            halt[broken[n_agv:]] = BREAKDOWN
        return halt

    def _radio_delay_us(self, now: int) -> Ints | None:
        """Give the radio's part of the cobots' reaction time (m,) [us], None where it is how long commands are overdue."""
        if self.scenario.robots.safety.radio_delay == "overdue":
            return None
        if self._delay_us is None or now % 1_000_000 == 0:
            own = self._guarding[(self._guarded >= self.fleet.n) & (self.traffic.ue[self._guarding] < self.n_machines)]
            latency_us = (
                latency_quantile_us(self.traffic, self.networks[0].kpi.tables, own, LATENCY_SHARE) if self.networks else 0
            )
            self._delay_us = self.cobots.watchdog.survival_us + latency_us
        return self._delay_us

    def silent_service(self, machine: int) -> str:
        """Service and device whose silence has kept a machine (AGVs first) longest without commands."""
        streams = self._guarding[self._guarded == machine]
        if not len(streams):
            return ""
        stream = streams[self.tracker.overdue_us(self.time_us)[streams].argmax()]
        return f"{self.traffic.service_name[self.traffic.service[stream]]} of {self.devices[self.traffic.ue[stream]]}"

    def _occupancy(self) -> Occupancy:
        return Occupancy(self.agvs.position_m, self.agvs.velocity_mps, self.agvs.radius_m)

    def _overdue_us(self) -> Ints:
        """How long the command stream of every AGV and cobot has been overdue [us].

        A panel is an enabling device: while its stream is down, the cobot it is paired with is without a command too.
        """
        if not self.networks:
            return np.zeros(self.n_machines, np.int64)
        return self.tracker.longest_overdue_us(self.time_us, self._guarding, self._guarded, self.n_machines)

    def picture(self) -> npt.NDArray[np.uint8]:
        """Picture of the scene, (height, width, 3) RGB."""
        self.world.sync_people(self.people.present, self.people.capsule_a, self.people.capsule_b)
        return self.world.picture()

    def close(self) -> None:
        """Stop what was started for somebody outside, and let go of the physics engine."""
        self.steering.close()
        self.world.close()


def survival_time_us(radio: RadioConfig, devices: str) -> int:
    """Shortest survival time of the control services of a class of devices [us]; a second where it has none."""
    resolved = [resolve(s) for s in radio.services if (s.peers or s.devices) == devices]
    return min((r.survival_us for r in resolved if not r.video and not r.aperiodic), default=1_000_000)


def _world_spec(loaded: LoadedScenario, people: PeopleState) -> WorldSpec:
    scenario = loaded.scenario
    hall = radio_hall(scenario.hall)
    cobots = scenario.robots.cobots
    agvs = scenario.robots.agvs
    return WorldSpec(
        hall_size_m=hall.size_m,
        box_center_m=hall.box_center_m,
        box_half_m=hall.box_half_m,
        box_yaw_rad=hall.box_yaw_rad,
        box_kind=tuple(b.kind for b in scenario.hall.boxes),
        agv_half_extent_m=np.tile((agvs.length_m / 2, agvs.width_m / 2), (agvs.count, 1)),
        agv_body_height_m=agvs.body_height_m,
        cobot_position_m=np.array([c.position_m for c in cobots], dtype=np.float64).reshape(-1, 3),
        cobot_yaw_rad=np.radians(np.array([c.yaw_deg for c in cobots], dtype=np.float64)),
        person_radius_m=people.capsule_radius_m,
        trp_position_m=np.array([t.position_m for t in scenario.radio.trps], dtype=np.float64),
        physics_hz=scenario.clock.physics_hz,
    )
