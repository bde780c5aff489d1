"""Between a mapping's sources and the twin: starts them, hands their values to the tick, and the twin's advice to them."""

from __future__ import annotations

import json
import logging
import math
import os
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from bridges.config import BridgesConfig, MqttConfig
from bridges.errors import BridgeError
from bridges.mapping import CsvSource, MqttSource, OpcUaSource
from bridges.mapping_csv import CsvReplay
from bridges.mapping_file import BoundMapping, read_mapping
from bridges.mapping_values import MappedValues
from bridges.mapping_variables import TwinVariable, twin_variables
from bridges.mqtt.mapped import MappedMqtt
from bridges.opcua.audit import AuditLog
from bridges.opcua.client import OpcUaClient
from bridges.view import TwinView
from factory.errors import UserError
from factory.observed import Observed
from factory.scenario import Scenario
from factory.snapshot import device_names
from factory.twin import Twin

__all__ = [
    "MappingSource", "ObservedFeed", "hall_variables", "make_sources", "mapping_file_of", "mapping_of", "observed_of",
    "start_mapping",
]  # fmt: skip

_log = logging.getLogger(__name__)

STATUS_FILE = "mapping-status.json"
_STATUS_EVERY_S = 1.0
_IN_STEP = (
    0.8,
    1.25,
)  # twin time over wall time; a twin beyond runs behind or ahead of the plant, and advises about another time


class MappingSource(Protocol):
    """What a source can be asked."""

    @property
    def connected(self) -> bool:
        """Whether values can come."""

    @property
    def problem(self) -> str:
        """Why none come, "" where they do."""

    def wait_connected(self, timeout_s: float) -> bool:
        """Wait until values can come."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End."""


def hall_variables(scenario: Scenario) -> dict[str, TwinVariable]:
    """Return what a mapping can name in a scenario's hall."""
    robots, radio, hall = scenario.robots, scenario.radio, scenario.hall
    cobots = tuple(c.name for c in robots.cobots)
    devices = device_names(robots.agvs.count, cobots, scenario.people.panel_count)
    return twin_variables(
        devices[: robots.agvs.count], cobots, tuple(b.name for b in hall.boxes if b.kind in ("machine", "cell")), devices,
        tuple(s.name for s in radio.services), (hall.size_m[0], hall.size_m[1]),
    )  # fmt: skip


def mapping_of(path: Path, scenario: Scenario) -> BoundMapping:
    """Read a mapping file for a scenario; faults end as a :class:`UserError` with file, line and column."""
    try:
        return read_mapping(path, hall_variables(scenario))
    except BridgeError as error:
        raise UserError(str(error)) from error


def make_sources(
    bound: BoundMapping, values: MappedValues, broker: MqttConfig, state: Path, audit: AuditLog | None
) -> dict[str, MappingSource]:
    """Make the sources of a mapping that have entries, not started yet.

    Parameters
    ----------
    bound : the mapping. values : takes what comes. broker : the scenario's own. state : folder of the twin.
    audit : takes what is written; None: no advice is written.

    Raises
    ------
    BridgeError
        A recording cannot be used.
    """
    made: dict[str, MappingSource] = {}
    lock = threading.Lock()
    for name, source in bound.mapping.sources.items():
        entries = bound.of_source(name)
        advice = bound.advice_to(name) if audit is not None else ()
        if not (entries or advice):
            continue
        if isinstance(source, OpcUaSource):

            def write(node: str, value: object, result: str, url: str = source.url) -> None:
                if audit is not None:
                    with lock:  # sources have threads of their own
                        audit.write("advice", "twin", "", url, node, value, result)

            made[name] = OpcUaClient(name, source, entries, advice, values, state, write)
        elif isinstance(source, MqttSource):
            made[name] = MappedMqtt(name, source, source.broker or broker, entries, values)
        else:
            assert isinstance(source, CsvSource)
            made[name] = CsvReplay(name, source, entries, values)
    return made


def observed_of(bound: BoundMapping, values: MappedValues, twin: Twin) -> Observed:
    """Return what lays the values of a mapping over a twin's machines."""
    agvs = twin.scenario.robots.agvs
    antenna_at_m = (*agvs.antenna_offset_m, agvs.antenna_height_m)
    return Observed(bound, values, twin.devices[: twin.fleet.n], twin.cobots.names, antenna_at_m)


def mapping_file_of(twin: Twin) -> BoundMapping:
    """Read the mapping that a twin's scenario names; faults as :func:`mapping_of`."""
    file, base = twin.scenario.bridges.mapping.file, twin.loaded.base_dir("bridges.mapping.file")
    assert file is not None
    return mapping_of(file if base is None else base / file, twin.scenario)


def start_mapping(config: BridgesConfig, state: Path, twin: Twin) -> ObservedFeed:
    """Start the mapping that a scenario names, and let the twin follow it.

    Raises
    ------
    UserError
        The mapping cannot be used.
    BridgeError
        Passwords, certificates or recordings of its sources cannot be used; what had started is stopped again.
    """
    feed = ObservedFeed(mapping_file_of(twin), config, state, twin)
    twin.observed = feed.observed
    return feed


class ObservedFeed:
    """A mapping at work, as live mode asks of a bridge.

    Parameters
    ----------
    bound : the mapping. config : the bridges section. state : folder of the twin. twin : that follows.

    Attributes
    ----------
    observed : what the tick asks. sources : by name. notices : what to tell the person at the keyboard.
    """

    def __init__(self, bound: BoundMapping, config: BridgesConfig, state: Path, twin: Twin) -> None:
        self._bound, self._state = bound, state
        self._values = MappedValues(bound, lambda text: _log.warning("%s", text))
        self.observed = observed_of(bound, self._values, twin)
        self._audit = AuditLog(state / "mapping")
        self.sources = make_sources(bound, self._values, config.mqtt, state, self._audit)
        self._status_s = -math.inf
        n_in = sum(len(bound.of_source(name)) for name in self.sources)
        n_out = len(bound.entries) - n_in
        self.notices = [f"Mapping: {n_in} variables in, {n_out} out; how they are: {state / STATUS_FILE}"]
        started: list[MappingSource] = []
        try:
            for source in self.sources.values():
                source.start()
                started.append(source)
        except BridgeError:
            for source in started:
                source.stop()
            self._audit.close()
            raise

    def publish(self, view: TwinView) -> None:
        """Hand advice over, and write down once a second how the mapping is; returns at once."""
        late = not view.running or not _IN_STEP[0] <= view.real_time_factor <= _IN_STEP[1]
        links = {link.device: link for link in view.links}
        services = {service.name: service for service in view.services}
        uncertain = self.observed.any_uncertain
        for source in self.sources.values():
            if isinstance(source, OpcUaClient):
                for bound in source.writer.entries:
                    value = _advice(bound.variable, links, services)
                    blind = late or (
                        uncertain if bound.variable.quantity == "up" else self.observed.uncertain(bound.variable.asset)
                    )
                    source.writer.advise(bound.row, None if blind or value is None else value)
        now = time.monotonic()
        if now - self._status_s >= _STATUS_EVERY_S:
            self._status_s = now
            self._write_status(view.time_us)

    def status(self) -> dict[str, Any]:
        """Return how assets, sources and variables are, as JSON values."""
        sources = {}
        for name, source in self.sources.items():
            counters = asdict(source.counters) if isinstance(source, OpcUaClient) else {}
            sources[name] = {"connected": source.connected, "problem": source.problem, **counters}
        refused = {
            b.entry.twin: dict(counts) for b, counts in zip(self._bound.entries, self._values.counts, strict=True) if counts
        }
        return {"assets": self.observed.figures(), "sources": sources, "variables": refused, "overflow": self._values.overflow}

    def _write_status(self, time_us: int) -> None:
        path = self._state / STATUS_FILE
        new = path.with_suffix(".new")
        try:
            new.write_text(json.dumps({"time_us": time_us, **self.status()}, indent=1) + "\n", encoding="utf-8")
            os.replace(new, path)
        except OSError as error:  # a full disk must not stop the twin
            _log.warning("%s: cannot be written: %s", path, error)

    def stop(self) -> None:
        """End all sources."""
        for source in self.sources.values():
            source.stop()
        self._audit.close()


def _advice(variable: TwinVariable, links: dict[str, Any], services: dict[str, Any]) -> float | None:
    """Value of an advice, None where there is none now."""
    if variable.quantity == "up":
        service = services.get(variable.asset)
        return None if service is None else float(service.up)
    link = links.get(variable.asset)
    if link is None:
        return None
    value = float(link.risk if variable.quantity == "risk" else link.margin_db)
    return value if math.isfinite(value) else None
