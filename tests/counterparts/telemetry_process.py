"""A twin's publisher in a process of its own, for a test that kills it: ``telemetry_process.py PORT FOLDER``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "bridges"))

from demo_view import demo_view

from bridges.config import MqttConfig
from bridges.mqtt import MqttPublisher

if __name__ == "__main__":
    publisher = MqttPublisher(MqttConfig(host="127.0.0.1", port=int(sys.argv[1])), Path(sys.argv[2]), "assembly-hall")
    publisher.start()
    time_us = 0
    while True:
        publisher.publish(demo_view(time_us))
        time_us += 100_000
        time.sleep(0.1)
