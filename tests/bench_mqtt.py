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
from bridges.tag_listener import TagListener
from bridges.tags import TagsConfig
from bridges.vda5050.base import stamp

_TICK_S = 0.01


def _field(text: bytes) -> bytes:
    return len(text).to_bytes(2, "big") + text


def _packet(kind: int, body: bytes) -> bytes:
    """Return an MQTT 3.1.1 control packet (clauses 2.2 and 2.2.3)."""
    head, left = bytearray([kind]), len(body)
    while True:
        left, low = left // 128, left % 128
        head.append(low | (0x80 if left else 0))
        if not left:
            return bytes(head) + body


def send(port: int, devices: int, hz: float, seconds: float) -> int:
    """Send places of all devices, evenly spread over each period, with QoS 0 on four connections; return how many.

    The packets are made here: a full client would need more processor time than broker and twin together.
    """
    connections = [socket.create_connection(("127.0.0.1", port), 15.0) for _ in range(4)]
    for k, connection in enumerate(connections):
        connection.sendall(_packet(0x10, _field(b"MQTT") + b"\x04\x02" + bytes(2) + _field(b"tags %d" % k)))
        if connection.recv(4)[:1] != b"\x20":
            raise SystemExit("the broker refused a connection")
    topics = [_field(f"bench/{device}".encode()) for device in range(devices)]
    begin, sent = time.monotonic(), 0
    while (elapsed := time.monotonic() - begin) < seconds:
        due, now = int(elapsed * devices * hz), stamp(time.time())
        waiting: list[list[bytes]] = [[], [], [], []]
        for number in range(sent, due):
            device = number % devices
            place = (
                f'{{"position": {{"type": "Point", "coordinates": [{device % 40}, {device / 40}]}}, "source": "bench", '
                f'"provider_type": "uwb", "provider_id": "tag-{device}", "timestamp_generated": "{now}", "accuracy": 0.1}}'
            )
            waiting[number % 4].append(_packet(0x30, topics[device] + place.encode()))
        sent = max(sent, due)
        for connection, packets in zip(connections, waiting, strict=True):
            connection.sendall(b"".join(packets))
        time.sleep(0.002)
    time.sleep(1.0)
    for connection in connections:
        connection.close()
    return sent


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
