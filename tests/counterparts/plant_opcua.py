"""A plant's controller: a server of the older Python package ``opcua`` with the nodes of ``plant.mjs``, and used as that one is.

    python plant_opcua.py PORT FOLDER USER PASSWORD

The folder holds ``certificate.der`` and ``private_key.pem``.
"""

from __future__ import annotations

import sys
import threading
import warnings
from pathlib import Path
from typing import Any


def main(port: str, folder: str, user: str, password: str) -> None:
    """Serve until the standard input ends."""
    warnings.simplefilter("ignore")  # the package is no longer maintained and calls functions that Python deprecates
    from opcua import Server, ua

    def may(session: Any, name: str, word: str) -> bool:
        # the role decides what may be written
        session.user = session.user_manager.User.Admin if (name, word) == (user, password) else session.user
        return (name, word) == (user, password)

    server = Server()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_application_uri(Path(folder, "application_uri").read_text())
    server.load_certificate(str(Path(folder, "certificate.der")))
    server.load_private_key(str(Path(folder, "private_key.pem")))
    server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    server.set_security_IDs(["Username"])
    server.user_manager.set_user_manager(may)
    index = server.register_namespace("urn:plant:cell-3")
    robot = server.get_objects_node().add_object(ua.NodeId("Robot", index), ua.QualifiedName("cobot-1", index))
    first = {f"A{joint}": 10.0 * joint for joint in range(1, 8)} | {"Running": True, "Risk": 0.0}
    nodes = {}
    for name, value in first.items():
        nodes[name] = robot.add_variable(ua.NodeId(f"Robot/{name}", index), ua.QualifiedName(name, index), value)
        nodes[name].set_writable()
    server.start()
    ended = threading.Event()

    def measure() -> None:
        # a resting axis is measured anew, so its time goes on
        while not ended.wait(0.1):
            for name, node in nodes.items():
                if name != "Risk":
                    node.set_value(node.get_value())

    thread = threading.Thread(target=measure, daemon=True)
    thread.start()
    print("ready", flush=True)
    for line in sys.stdin:
        name, value = line.split()
        if value == "?":
            print(f"= {nodes[name].get_value()}", flush=True)
            continue
        nodes[name].set_value(value == "true" if isinstance(first[name], bool) else float(value))
        print("= done", flush=True)
    ended.set()
    thread.join()
    server.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
