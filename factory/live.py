"""The twin on the wall clock with its bridges: what ``factory-twin live`` runs."""

from __future__ import annotations

import gc
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table

from bridges.config import BridgesConfig
from bridges.errors import BridgeError
from bridges.mqtt import MqttPublisher
from bridges.opcua.process import OpcUaProcess
from bridges.view import TwinView
from factory.errors import UserError
from factory.fleet_bridge import FleetSpeaker, start_vda5050
from factory.live_connect import connect_plant
from factory.live_record import LiveRecord
from factory.observed_feed import start_mapping
from factory.page_view import Page
from factory.publish import Publisher
from factory.scenario import load_scenario
from factory.twin import Twin
from factory.view_command import open_browser

_GIVE_UP_LAG_S = 0.5  # a twin that is later than this does not race after the clock: it starts counting anew


class Bridge(Protocol):
    """What live mode asks of a bridge."""

    def publish(self, view: TwinView) -> None:
        """Hand a view over and return at once."""

    def stop(self) -> None:
        """Say goodbye and free the port."""


def start_bridges(
    config: BridgesConfig, state: Path, first: TwinView, twin: Twin | None = None
) -> tuple[list[Bridge], list[str]]:
    """Start the bridges that the scenario enables; commands of their clients go to ``twin``, without one there are none.

    Returns
    -------
    bridges, notices
        Running bridges, and what the person at the keyboard should be told.

    Raises
    ------
    UserError
        A port is in use, or users, certificates or broker cannot be used; whatever had started is stopped again.
    """
    running: list[Bridge] = []
    notices: list[str] = []
    try:
        if config.opcua.enabled:
            server = OpcUaProcess(config.opcua, state, None if twin is None else twin.inbox)
            server.start(first)
            running.append(server)
            notices += [f"OPC UA: {server.endpoint_url}", *server.notices]
        if config.mqtt.enabled:
            publisher = MqttPublisher(config.mqtt, state, first.name)
            publisher.start()
            running.append(publisher)
            notices.append(f"MQTT:   {publisher.broker_url}, topics {config.mqtt.topic_prefix}/{first.name}/...")
        if twin is not None:
            fleet = start_vda5050(config, twin.fleet, twin.devices[: twin.fleet.n], twin.inbox, state)
            if fleet is not None:
                twin.steering.also(fleet[0].carry_out)
                running.append(FleetSpeaker(*fleet))
                notices.append(f"VDA 5050: {twin.fleet.n} AGVs at the same broker; docs/vda5050.md has the topics")
                notices += [fleet[0].notice] if fleet[0].notice else []
        if twin is not None and config.mapping.file is not None:
            feed = start_mapping(config, state, twin)
            running.append(feed)
            notices += feed.notices
        if twin is not None:
            plant = connect_plant(twin, state)
            if plant is not None:
                running.append(plant[0])
                notices += plant[1]
        if twin is not None and config.page.enabled:
            page = Page(config.page, state, twin)
            page.start(first)
            running.append(page)
            notices += [f"Page:   {page.url}", *page.notices]
    except BridgeError as error:
        for bridge in reversed(running):
            bridge.stop()
        raise UserError(str(error)) from error
    return running, notices


def run_live(
    name: str,
    overrides: list[str],
    state: Path,
    seconds: float | None,
    console: Console,
    open_page: bool = False,
    record: Path | None = None,
) -> int:
    """Run a scenario on the wall clock until Ctrl-C, SIGTERM or ``seconds``.

    ``open_page`` opens the page in the browser, ``record`` is a folder to record the inputs to.

    Returns
    -------
    int
        Exit code 0; wrong input raises :class:`UserError`.
    """
    loaded = load_scenario(name, overrides)
    stop = threading.Event()
    with console.status("building the hall"):
        twin = Twin(loaded, beside_a_plant=True)
    publisher = Publisher(twin)
    recording = None if record is None else LiveRecord(record, twin)
    try:
        bridges, notices = start_bridges(loaded.scenario.bridges, state, publisher.view(1.0), twin)
    except UserError:
        if recording is not None:
            recording.abandon()
        raise
    if recording is not None:
        recording.begin(next((b.recalled for b in bridges if isinstance(b, FleetSpeaker)), None))
        notices.append(f"Record: {record} (where people were is in it: keep it as you keep such data)")
    for notice in notices:
        console.print(notice, soft_wrap=True)
    page = next((b for b in bridges if isinstance(b, Page)), None)
    if open_page and page is not None:
        open_browser(page.url, console.print)
    elif open_page:
        console.print("There is no page to open: bridges.page.enabled is false.")
    console.print("Ctrl-C stops.")

    def ask_to_stop(signum: int, frame: FrameType | None) -> None:
        stop.set()

    previous = {s: signal.signal(s, ask_to_stop) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        settle()
        with Live(_status(publisher.view(1.0), 0.0), console=console, refresh_per_second=2, transient=True) as screen:
            _follow_the_clock(twin, bridges, stop, seconds, screen, publisher)
    finally:
        for bridge in reversed(bridges):  # the publisher may have brought the broker of those after it
            bridge.stop()
        for s, handler in previous.items():
            signal.signal(s, handler)
        if recording is not None:
            recording.close()
        twin.close()
        gc.unfreeze()
    if recording is not None and recording.fault:
        console.print(recording.fault, soft_wrap=True)
    console.print(f"stopped after {twin.time_us / 1e6:.1f} s of twin time")
    return 0


def settle() -> None:
    """Leave what was built so far out of all collections of garbage.

    The hall stays as long as the twin. With it a full collection takes some tenths of a second, and comes so seldom that what
    the connections leave behind in cycles piles up to tens of megabytes before it.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # full collections come by what the last one left: now that is next to nothing


def _follow_the_clock(
    twin: Twin,
    bridges: list[Bridge],
    stop: threading.Event,
    seconds: float | None,
    screen: Live,
    publisher: Publisher | None = None,
) -> None:
    publisher = publisher or Publisher(twin)
    publish_us = 1_000_000 // twin.scenario.clock.publish_hz
    steering = twin.steering
    begun = anchor = time.monotonic()
    anchor_us, speed = twin.time_us, steering.speed
    page = next((b for b in bridges if isinstance(b, Page)), None)
    lost_s = 0.0
    while not stop.is_set() and (seconds is None or time.monotonic() - begun < seconds):
        if steering.paused:
            _stand_still(twin, publisher, bridges, stop, publish_us, None if seconds is None else begun + seconds)
            anchor, anchor_us = time.monotonic(), twin.time_us
            continue
        tick = twin.tick()
        publisher.watch(tick)
        twin.stops.take()  # nobody keeps a journal here, and stops that nobody takes would pile up
        if page is not None:
            page.add(tick)
        now = time.monotonic()
        if steering.speed != speed:
            anchor, anchor_us, speed = now, twin.time_us, steering.speed
        lag = (now - anchor) - (twin.time_us - anchor_us) / 1e6 / speed
        if lag > _GIVE_UP_LAG_S:
            lost_s += lag
            anchor, anchor_us = now, twin.time_us
        if twin.time_us % publish_us == 0:
            elapsed = max(now - begun, 1e-9)
            view = publisher.view(twin.time_us / 1e6 / elapsed)
            twin.tracker.take()  # the view has told its risks: the next one's are those from now on
            for bridge in bridges:
                bridge.publish(view)
            if twin.time_us % 500_000 == 0:
                screen.update(_status(view, lost_s))
        if lag < 0:
            stop.wait(-lag)


def _stand_still(
    twin: Twin, publisher: Publisher, bridges: list[Bridge], stop: threading.Event, publish_us: int, until_s: float | None
) -> None:
    """Show the hall as it stands, and take commands, until one lets it go on or the time is over."""
    while twin.steering.paused and not stop.is_set() and (until_s is None or time.monotonic() < until_s):
        view = publisher.view(0.0)
        for bridge in bridges:
            bridge.publish(view)
        stop.wait(publish_us / 1e6)
        twin.steering.apply(twin.inbox.drain())


def _status(view: TwinView, lost_s: float) -> Table:
    table = Table(
        title=f"{view.name}  {view.time_us / 1e6:.1f} s  ({view.real_time_factor:.2f} x real time, {lost_s:.1f} s lost)"
    )
    for column in ("service", "profile", "availability", "lost", "now"):
        table.add_column(column)
    for service in view.services:
        availability = "-" if service.availability is None else f"{service.availability:.6f}"
        ratio = "-" if service.packet_error_ratio is None else f"{service.packet_error_ratio:.2e}"
        table.add_row(service.name, service.profile, availability, ratio, "up" if service.up else "DOWN")
    return table
