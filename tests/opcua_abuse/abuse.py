"""Strangers and hostile clients against the OPC UA server: ``python -m tests.opcua_abuse.abuse``.

The server runs in a process of its own, beside something that ticks a hundred times a second, and offers what an attacker likes
best: an endpoint without security (``insecure: true``), on which every byte reaches the decoder. Each part tells what was tried
and what the server's process looked like before and after: memory, threads, tasks, open files, how late its ticks came. After
each a good client reads a value.

fuzz        mutated messages of all services, for ``--fuzz`` seconds, the faults drawn from a seed
bombs       requests of some bytes that decode to millions of values
chunks      messages announced or collected beyond what may be, from as many connections as there may be
half-open   ``--half-open`` connections that say nothing or only hello
deaf        clients that ask for answer after answer and read none
hoarding    subscriptions with the longest queues whose notifications are never fetched
strangers   reads, writes, calls before activation and with another's token
certificates  unknown, expired and mismatched certificates, each of them hundreds of times
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import socket
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import nodeid_from_binary, struct_from_binary, struct_to_binary
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from tests.opcua_abuse.host import Host
from tests.opcua_abuse.mutate import attempt, requests
from tests.opcua_abuse.wire import GoneError, Wire, hello, packet, text

_BASIC = b"http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256"
_VALUE: Any = ua.NodeId("Links/agv-001/SinrDownlink", 2)  # type: ignore[arg-type]


def good_client(port: int) -> bool:
    """Tell whether a good client is let in and reads a value."""
    with Wire(port, 60.0).open() as wire:
        request: Any = ua.ReadRequest()
        request.Parameters.NodesToRead = [ua.ReadValueId(NodeId=_VALUE, AttributeId=ua.AttributeIds.Value)]
        header, body = wire.create().activate().ask(request)
        header.ServiceResult.check()
        (count,) = struct.unpack("<i", body.read(4))
        value: Any = struct_from_binary(ua.DataValue, body)
        return count == 1 and 18.0 <= value.Value.Value <= 18.3


def fuzz(port: int, seconds: float, seed: int = 1) -> dict[str, Any]:
    """Send mutated messages for a while; return how many, and what came of them."""
    rng, good = np.random.default_rng(seed), requests()
    until, came = time.monotonic() + seconds, Counter[str]()
    sent = connections = 0
    while time.monotonic() < until:
        try:
            with Wire(port, 60.0) as wire:
                connections += 1
                depth = rng.random()  # most faults come after activation, where there is most to break
                wire.open()
                if depth > 0.15:
                    wire.create()
                if depth > 0.3:
                    wire.activate()
                wire.peer.settimeout(0.05)
                for _ in range(int(rng.integers(1, 60))):
                    content = attempt(wire, good, rng)
                    sent += 1
                    wire.send(content)
                    try:
                        came[_outcome(wire)] += 1
                    except TimeoutError:
                        came["no answer within 50 ms"] += 1  # half a message, Publish, or a busy server
        except GoneError as gone:
            came[f"ended: {gone}"] += 1
        except TimeoutError:
            came["no way in within 60 s"] += 1
    return {"messages": sent, "connections": connections, "outcomes": dict(came.most_common())}


def _outcome(wire: Wire) -> str:
    """Wait for a chunk, and return the service result in it, or its kind where it has none."""
    kind, content = wire.receive()
    if kind != b"MSGF":
        return kind.decode()
    body = Buffer(content[16:])
    nodeid_from_binary(body)
    header: Any = struct_from_binary(ua.ResponseHeader, body)
    return str(header.ServiceResult.name)


def _additional(body: bytes, type_id: int) -> bytes:
    """Return a request header with an extension object of a stranger's."""
    plain = struct_to_binary(ua.RequestHeader())[:-3]
    return plain + b"\x01\x00" + struct.pack("<H", type_id) + b"\x01" + text(body)


def bombs(port: int, repeats: int = 20) -> dict[str, Any]:
    """Send requests that stand for far more than they are long."""
    literal = int(ua.ObjectIds.LiteralOperand_Encoding_DefaultBinary)
    nulls = b"\x80" + struct.pack("<i", 2**31 - 1)
    wide = bytes([0xC1]) + struct.pack("<i", 0) + struct.pack("<ii", 1, 1_000_000)
    many = bytes([0x98]) + struct.pack("<i", 3000) + wide * 3000
    nested = b"\x98\x01\x00\x00\x00" * 12_000
    kind = b"\x01\x00" + struct.pack("<H", int(ua.ObjectIds.GetEndpointsRequest_Encoding_DefaultBinary))
    came = Counter[str]()
    for _ in range(repeats):
        for body in (nulls, wide, many, nested):
            with Wire(port, 60.0).open() as wire:
                try:
                    wire.send(wire.message(kind + _additional(body, literal)[:65_000]))
                    header, _ = wire.answer()
                    came[header.ServiceResult.name] += 1
                except GoneError as gone:
                    came[f"ended: {gone}"] += 1
    return {"requests": 4 * repeats, "outcomes": dict(came)}


def chunks(port: int, connections: int = 100) -> dict[str, Any]:
    """Announce too much, and collect pieces without an end on many connections, all of them kept."""
    came = Counter[str]()
    for announced in (0, 8, 65_536, 2**31, 2**32 - 1):
        with Wire(port, 60.0) as wire:
            try:
                wire.send(hello())
                wire.receive()
                wire.send(packet(b"OPNF", b"\0" * 64, announced))
                wire.receive()
                came["answered"] += 1
            except (GoneError, TimeoutError) as error:
                came[f"announced {announced}: {error}"] += 1
    held = []
    sent = 0
    with contextlib.ExitStack() as stack:
        for _ in range(connections):
            try:
                wire = stack.enter_context(Wire(port, 60.0)).open()
                held.append(wire)
                number = wire.request + 1
                for _ in range(200):  # 12.8 MB, without an end
                    wire.sequence += 1
                    head = struct.pack("<IIII", wire.channel, wire.token, wire.sequence, number)
                    wire.send(packet(b"MSGC", head + b"\0" * 64_000))
                    sent += 64_000
                came["collected"] += 1
            except (GoneError, TimeoutError) as error:
                came[f"collecting: {error}"] += 1
    return {"connections": connections, "sent_mb": sent / 1e6, "outcomes": dict(came)}


def half_open(port: int, count: int) -> dict[str, Any]:
    """Open connections that say nothing or only hello, and keep them; see whether a good client gets in beside them."""
    held: list[socket.socket] = []
    failed = Counter[str]()
    let_in = 0
    try:
        for k in range(count):
            try:
                peer = socket.create_connection(("127.0.0.1", port), timeout=60)
                held.append(peer)
                if k % 2:
                    peer.sendall(hello())
            except OSError as error:
                failed[type(error).__name__] += 1
            if k % max(count // 10, 1) == 0:
                let_in += good_client(port)
    finally:
        for peer in held:
            peer.close()
    return {"opened": len(held), "failed": dict(failed), "good clients let in beside them": f"{let_in} of 10"}


def deaf(port: int, clients: int = 5) -> dict[str, Any]:
    """Ask for answers and read none, until the server cuts the line."""
    request: Any = ua.ReadRequest()
    request.Parameters.NodesToRead = [ua.ReadValueId(NodeId=_VALUE, AttributeId=ua.AttributeIds.Description)] * 1000
    asked = cut = 0
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(port, 60.0)).open().create().activate() for _ in range(clients)]
        for wire in wires:
            wire.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            wire.peer.settimeout(0.5)
        until = time.monotonic() + 60
        waiting = set(range(clients))
        while waiting and time.monotonic() < until:
            for k in tuple(waiting):
                try:
                    wires[k].send(wires[k].message(wires[k].encoded(request)))
                    asked += 1
                except TimeoutError:
                    pass  # nobody takes it any more; half of a message is under way, and nothing will come of it
                except GoneError:
                    waiting.discard(k)
                    cut += 1
    return {"clients": clients, "requests": asked, "cut off": cut}


def hoarding(port: int, sessions: int = 20, seconds: float = 10.0) -> dict[str, Any]:
    """Subscribe to everything with the longest queues, and never fetch."""
    places = 0
    with contextlib.ExitStack() as stack:
        for _ in range(sessions):
            wire = stack.enter_context(Wire(port, 60.0)).open().create().activate()
            for _ in range(5):
                request: Any = ua.CreateSubscriptionRequest()
                request.Parameters.RequestedPublishingInterval = 20.0
                request.Parameters.RequestedLifetimeCount = 10_000
                request.Parameters.PublishingEnabled = True
                _, body = wire.ask(request)
                (number,) = struct.unpack("<I", body.read(4))
                items: Any = ua.CreateMonitoredItemsRequest()
                items.Parameters.SubscriptionId = number
                items.Parameters.ItemsToCreate = [
                    ua.MonitoredItemCreateRequest(
                        ItemToMonitor=ua.ReadValueId(
                            NodeId=ua.NodeId(f"Links/agv-{k:03d}/SinrDownlink", 2),  # type: ignore[arg-type]
                            AttributeId=ua.AttributeIds.Value,
                        ),
                        MonitoringMode=ua.MonitoringMode.Reporting,
                        RequestedParameters=ua.MonitoringParameters(SamplingInterval=0.0, QueueSize=2**31),  # type: ignore[arg-type]
                    )
                    for k in range(20)
                ] * 10
                _, body = wire.ask(items)
                for _ in range(struct.unpack("<i", body.read(4))[0]):
                    result: Any = struct_from_binary(ua.MonitoredItemCreateResult, body)
                    places += result.RevisedQueueSize
        time.sleep(seconds)
    return {"sessions": sessions, "subscriptions": 5 * sessions, "places granted": places}


def strangers(port: int, repeats: int = 50) -> dict[str, Any]:
    """Ask for everything without a session, with one that nobody activated, and with the token of another's."""
    came = Counter[str]()
    skipped = ("FindServers", "GetEndpoints", "CreateSession", "ActivateSession", "CloseSession")
    asked = [r for r in requests() if not any(type(r).__name__ == f"{name}Request" for name in skipped)]
    with Wire(port, 60.0).open() as other:
        other.create().activate()
        for k in range(repeats):
            for how in ("no session", "not activated", "another's token"):
                for request in asked[k % 3 :: 3]:
                    with Wire(port, 60.0).open() as wire:
                        if how == "not activated":
                            wire.create()
                        elif how == "another's token":
                            wire.authentication = other.authentication
                        try:
                            header, _ = wire.ask(request)
                            came[f"{how}: {header.ServiceResult.name}"] += 1
                        except GoneError as gone:
                            came[f"{how}: ended, {gone}"] += 1
        request = ua.ReadRequest()
        request.Parameters.NodesToRead = [ua.ReadValueId(NodeId=_VALUE, AttributeId=ua.AttributeIds.Value)]
        other.ask(request)[0].ServiceResult.check()
    return {"outcomes": dict(came), "let through": sum(n for what, n in came.items() if what.endswith(": Good"))}


def certificate(days: tuple[int, int], uri: str) -> tuple[bytes, rsa.RSAPrivateKey]:
    """Make a certificate that is valid from and to a day from now."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, uri)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER), key


def certificates(port: int, folder: Path, repeats: int = 50) -> dict[str, Any]:
    """Open secure channels with certificates that are expired, not yet valid, no certificate, or another's."""
    own = x509.load_der_x509_certificate((folder / "opcua" / "certificate.der").read_bytes())
    public: Any = own.public_key()
    thumb = own.fingerprint(hashes.SHA1())
    cases = {
        "expired": certificate((-20, -10), "urn:old"),
        "not yet valid": certificate((10, 20), "urn:new"),
        "junk": (b"\x30\x82" + b"\xff" * 500, certificate((-1, 1), "urn:junk")[1]),
        "signed by another key": (certificate((-1, 1), "urn:good")[0], certificate((-1, 1), "urn:other")[1]),
    }
    came = Counter[str]()
    for _ in range(repeats):
        for what, (der, key) in cases.items():
            with Wire(port, 60.0) as wire:
                try:
                    wire.send(hello())
                    wire.receive()
                    request: Any = ua.OpenSecureChannelRequest()
                    request.Parameters.SecurityMode = ua.MessageSecurityMode.SignAndEncrypt
                    request.Parameters.RequestedLifetime = 60_000
                    request.Parameters.ClientNonce = b"n" * 32
                    wire.send(_secure_opening(struct_to_binary(request), der, key, public, thumb))
                    wire.receive()
                    came[f"{what}: let in"] += 1
                except GoneError as gone:
                    came[f"{what}: {gone}"] += 1
    return {"channels": 4 * repeats, "outcomes": dict(came)}


def _secure_opening(body: bytes, der: bytes, key: rsa.RSAPrivateKey, public: rsa.RSAPublicKey, thumb: bytes) -> bytes:
    """Return OpenSecureChannel of Basic256Sha256, signed and encrypted (OPC 10000-6 clause 6.7.2)."""
    block, plain_block, signature = public.key_size // 8, public.key_size // 8 - 42, key.key_size // 8
    plain = struct.pack("<II", 1, 1) + body
    fill = -(len(plain) + 1 + signature) % plain_block
    plain += bytes([fill]) * (fill + 1)
    head = struct.pack("<I", 0) + text(_BASIC) + text(der) + text(thumb)
    size = (len(plain) + signature) // plain_block * block
    start = packet(b"OPNF", head, 8 + len(head) + size)
    plain += key.sign(start + plain, padding.PKCS1v15(), hashes.SHA256())
    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    return start + b"".join(public.encrypt(plain[i : i + plain_block], oaep) for i in range(0, len(plain), plain_block))


def run(host: Host, name: str, part: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Run one part and return what it told, with the server's state before and after it."""
    host.settled(15.0)
    time.sleep(3.0)
    before = host.state()
    begin = time.monotonic()
    result = part()
    seconds = time.monotonic() - begin
    most = host.state()
    after = host.settled()
    kept = ("rss_mb", "threads", "tasks", "files", "connections", "subscriptions")
    return {
        "part": name,
        **result,
        "seconds": seconds,
        "ticks_per_s": (after["ticks"] - before["ticks"]) / (time.monotonic() - begin),
        "tick_late_p99_ms": {"before": before["late_p99_ms"], "during": max(most["late_p99_ms"], after["late_p99_ms"])},
        "before": {k: before[k] for k in kept if k in before},
        "at_end": {k: most[k] for k in kept if k in most},
        "after": {k: after[k] for k in kept if k in after},
        "good client afterwards": good_client(host.port),
    }


def parts(host: Host, fuzz_s: float, count: int, seed: int = 1) -> list[tuple[str, Callable[[], dict[str, Any]]]]:
    """Return all parts in their order."""
    port = host.port
    return [
        ("fuzz", lambda: fuzz(port, fuzz_s, seed)),
        ("bombs", lambda: bombs(port)),
        ("chunks", lambda: chunks(port)),
        ("half-open", lambda: half_open(port, count)),
        ("deaf", lambda: deaf(port)),
        ("hoarding", lambda: hoarding(port)),
        ("hoarding again", lambda: hoarding(port)),
        ("strangers", lambda: strangers(port)),
        ("certificates", lambda: certificates(port, host.folder)),
    ]


def main(arguments: list[str]) -> int:
    """Run; see the module's text. Returns 1 where a good client was not served after some part."""
    parser = argparse.ArgumentParser(prog="python -m tests.opcua_abuse.abuse", description="Hostile clients against the server.")
    parser.add_argument("--fuzz", type=float, default=600.0, help="how long messages are mutated [s]")
    parser.add_argument("--half-open", type=int, default=10_000, help="connections that say nothing")
    parser.add_argument("--seed", type=int, default=1, help="of the faults")
    parser.add_argument("--parts", nargs="*", help="only these")
    parser.add_argument("--server", choices=["thread", "process"], default="thread", help="where the server runs")
    parser.add_argument("--output", type=Path, help="file for the result as JSON")
    given = parser.parse_args(arguments)
    result: dict[str, Any] = {
        "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "load": os.getloadavg()[0]},
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "server": given.server,
        "parts": [],
    }
    with tempfile.TemporaryDirectory() as directory:
        host = Host(Path(directory), given.server)
        try:
            result["at start"] = host.state()
            for name, part in parts(host, given.fuzz, given.half_open, given.seed):
                if given.parts and name not in given.parts:
                    continue
                told = run(host, name, part)
                result["parts"].append(told)
                print(json.dumps(told), flush=True)
                if given.output is not None:
                    given.output.write_text(json.dumps(result, indent=1) + "\n")
            result["log_errors"] = sum("Traceback" in line for line in (Path(directory) / "log").read_text().splitlines())
        finally:
            host.stop()
    if given.output is not None:
        given.output.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if all(told["good client afterwards"] for told in result["parts"]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
