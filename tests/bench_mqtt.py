"""Location tags at a plant's rate through a broker: loss, delay to the twin and processor time.

``python tests/bench_mqtt.py DEVICES HZ SECONDS [embedded]`` prints one line of JSON; through mosquitto, or the broker that comes
with the twin. Senders share a process of their own with its clock. The delay is from a message's stamp to the tick that takes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bridges.broker import EmbeddedBroker
from bridges.config import MqttConfig
from bridges.mqtt import Message, MqttConnection
from bridges.tag_listener import TagListener
from bridges.tags import TagsConfig
from bridges.vda5050.base import stamp

_TICK_S = 0.01


def send(port: int, devices: int, hz: float, seconds: float) -> int:
    """Send places of all devices, evenly spread over each period; return how many."""
    connections = [MqttConnection(MqttConfig(host="127.0.0.1", port=port, max_pending=100_000), f"tags {k}") for k in range(4)]
    for connection in connections:
        connection.start()
        if not connection.wait_connected(15):
            raise SystemExit("no connection to mosquitto")
    begin, sent, taken = time.monotonic(), 0, 0
    while (elapsed := time.monotonic() - begin) < seconds:
        due = int(elapsed * devices * hz)
        while sent < due:
            device = sent % devices
            place = {
                "position": {"type": "Point", "coordinates": [device % 40, device / 40]},
                "source": "bench",
                "provider_type": "uwb",
                "provider_id": f"tag-{device}",
                "timestamp_generated": stamp(time.time()),
                "accuracy": 0.1,
            }
            taken += connections[sent % 4].publish(Message(f"bench/{device}", json.dumps(place).encode()))
            sent += 1
        time.sleep(0.002)
    time.sleep(1.0)
    for connection in connections:
        connection.stop()
    return taken


@contextlib.contextmanager
def running_broker(folder: Path, port: int, embedded: bool) -> Iterator[None]:
    """Run mosquitto, or the embedded broker, while the block lasts."""
    if embedded:
        own = EmbeddedBroker(port, folder / "broker.log")
        own.start()
        try:
            yield
        finally:
            own.stop()
        return
    broker = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if broker is None:
        raise SystemExit("mosquitto is not installed; tests/counterparts/install.sh installs it")
    file = folder / "mosquitto.conf"
    file.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\nmax_queued_messages 100000\n")
    process = subprocess.Popen([broker, "-c", str(file)], stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def main(devices: int, hz: float, seconds: float, embedded: bool = False) -> dict[str, Any]:
    """Measure; see the module's text."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder:
        with running_broker(Path(folder), port, embedded):
            listener = TagListener(MqttConfig(host="127.0.0.1", port=port), TagsConfig(topic="bench/#", max_waiting=100_000))
            listener.start()
            listener.connection.wait_connected(15)
            sender = subprocess.Popen(
                [sys.executable, __file__, "send", str(port), str(devices), str(hz), str(seconds)], stdout=subprocess.PIPE
            )
            ages, begin_cpu, begin, load = [], time.process_time(), time.monotonic(), os.getloadavg()[0]
            while sender.poll() is None:
                now_s = time.time()
                ages.append(now_s - listener.drain().measured_s)
                time.sleep(_TICK_S)
            cpu = (time.process_time() - begin_cpu) / (time.monotonic() - begin)
            assert sender.stdout is not None
            sent = int(sender.stdout.read())
            ages.append(time.time() - listener.drain().measured_s)
            listener.stop()
    age = np.concatenate(ages)
    counts = listener.reader.counts
    return {
        "sent": sent, "received": listener.connection.counters.received, "taken": counts["taken"],
        "refused": sum(n for reason, n in counts.items() if reason != "taken"),
        "p50_ms": round(float(np.quantile(age, 0.5)) * 1e3, 1), "p99_ms": round(float(np.quantile(age, 0.99)) * 1e3, 1),
        "cores": round(cpu, 3), "load_average": [round(load, 1), round(os.getloadavg()[0], 1)],
    }  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1] == "send":
        print(send(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5])))
    else:
        print(json.dumps(main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), "embedded" in sys.argv)))
