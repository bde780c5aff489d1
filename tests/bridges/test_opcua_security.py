"""Trusted and rejected clients, users' certificates, roles, and what asyncua would let through."""

from __future__ import annotations

import asyncio
import datetime
import json
import shutil
import socket
import stat
import struct
import time

import pytest
from asyncua import Client, ua
from asyncua.crypto import uacrypto
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from demo_view import demo_view
from opcua_client import PASSWORDS, name_of_error, node_id, port_of_its_own, secured, user_lines

from bridges.config import OpcUaConfig
from bridges.errors import CredentialsError
from bridges.inbox import Inbox
from bridges.opcua import OpcUaServer
from bridges.opcua.certificate import ServerIdentity, load_or_make

SINR = "Links/agv-01/SinrDownlink"


def key_and_certificate(folder, uri, issuer=None, days=10, begin_days=-1, ca=False, bits=2048):
    """Make a certificate, signed by itself or by an issuer (certificate, key); return its identity, certificate and key."""
    folder.mkdir(parents=True, exist_ok=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, uri)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer[0].subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=begin_days))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    certificate = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
    (folder / "certificate.der").write_bytes(certificate.public_bytes(serialization.Encoding.DER))
    (folder / "private-key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return ServerIdentity(folder / "certificate.der", folder / "private-key.pem", uri), certificate, key


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """Folder of a client that the servers of this file trust."""
    folder = tmp_path_factory.mktemp("known")
    load_or_make(folder, "127.0.0.1")
    return folder


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """User file, and the certificate of one of its users."""
    folder = tmp_path_factory.mktemp("people")
    (folder / "users").write_text(user_lines() + "chip:engineer:certificate\n")
    identity, _, _ = key_and_certificate(folder / "chip", "urn:chip")
    (folder / "certificates").mkdir()
    shutil.copy(identity.certificate, folder / "certificates" / "chip.der")
    key_and_certificate(folder / "mallory", "urn:mallory")
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory, known, people):
    state = tmp_path_factory.mktemp("state")
    config = OpcUaConfig(
        port=port_of_its_own(),
        user_file=people / "users",
        user_certificate_dir=people / "certificates",
        allow_sign=True,
        stale_after_s=3600,
    )
    twin = OpcUaServer(config, state, Inbox())
    twin.state = state
    twin.start(demo_view(0, sinr_db=9.0))
    shutil.copy(known / "certificate.der", state / "opcua" / "trusted" / "known.der")
    yield twin
    twin.stop()


async def attempt(client_making, what=None):
    client = await client_making

    async def use():
        async with client:
            return await (what or read_sinr)(client)

    return await asyncio.wait_for(name_of_error(use()), 20)


async def read_sinr(client):
    return await client.get_node(await node_id(client, SINR)).read_value()


def as_user(server, folder, name, **kwargs):
    return secured(server.endpoint_url, folder, name, PASSWORDS.get(name, ""), **kwargs)


@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"])
def test_every_policy_and_mode_lets_a_user_in(server, known, policy, mode):
    told = asyncio.run(attempt(as_user(server, known, "vera", policy=policy, mode=ua.MessageSecurityMode[mode])))
    assert told == "was let through: 9.0"


def test_an_unknown_client_is_refused_until_its_certificate_is_moved(server, tmp_path):
    before = set((server.state / "opcua" / "rejected").iterdir())
    begin = time.monotonic()
    told = asyncio.run(attempt(as_user(server, tmp_path, "vera")))
    assert not told.startswith("was let through")
    assert time.monotonic() - begin < 5, "a refused client should not have to wait for its time limit"
    (rejected,) = set((server.state / "opcua" / "rejected").iterdir()) - before
    assert rejected.read_bytes() == (tmp_path / "certificate.der").read_bytes()
    rejected.rename(server.state / "opcua" / "trusted" / rejected.name)
    try:
        assert asyncio.run(attempt(as_user(server, tmp_path, "vera"))) == "was let through: 9.0"
    finally:
        (server.state / "opcua" / "trusted" / rejected.name).unlink()


def test_the_notice_tells_how_to_trust_a_client(server):
    (notice,) = [n for n in server.notices if "trust" in n]
    assert str(server.state / "opcua" / "rejected") in notice
    assert str(server.state / "opcua" / "trusted") in notice


@pytest.mark.parametrize(
    ("days", "begin_days", "bits"), [(-1, -5, 2048), (9, 5, 2048), (9, -1, 1024)], ids=["expired", "not yet", "short key"]
)
def test_an_unusable_certificate_is_refused_though_it_is_trusted(server, tmp_path, days, begin_days, bits):
    key_and_certificate(tmp_path, "urn:late", days=days, begin_days=begin_days, bits=bits)
    trusted = server.state / "opcua" / "trusted" / "late.der"
    shutil.copy(tmp_path / "certificate.der", trusted)
    try:
        told = asyncio.run(attempt(with_identity(server, tmp_path, "urn:late")))
        assert not told.startswith("was let through")
    finally:
        trusted.unlink()


async def with_identity(server, folder, uri, name="vera"):
    client = Client(server.endpoint_url, timeout=10)
    client.application_uri = uri
    from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

    await client.set_security(
        SecurityPolicyBasic256Sha256,
        certificate=folder / "certificate.der",
        private_key=folder / "private-key.pem",
        mode=ua.MessageSecurityMode.SignAndEncrypt,
    )
    client.set_user(name)
    client.set_password(PASSWORDS[name])
    return client


def test_a_ca_in_trusted_vouches_until_it_revokes(server, tmp_path):
    _, ca, ca_key = key_and_certificate(tmp_path / "ca", "urn:ca", ca=True)
    _, issued, _ = key_and_certificate(tmp_path / "issued", "urn:issued", issuer=(ca, ca_key))
    _, plain, plain_key = key_and_certificate(tmp_path / "plain", "urn:plain")  # no CA: vouches for nobody
    key_and_certificate(tmp_path / "sham", "urn:sham", issuer=(plain, plain_key))
    trusted = server.state / "opcua" / "trusted"
    shutil.copy(tmp_path / "ca" / "certificate.der", trusted / "ca.der")
    shutil.copy(tmp_path / "plain" / "certificate.der", trusted / "plain.der")
    try:
        assert asyncio.run(attempt(with_identity(server, tmp_path / "issued", "urn:issued"))) == "was let through: 9.0"
        assert not asyncio.run(attempt(with_identity(server, tmp_path / "sham", "urn:sham"))).startswith("was let")
        now = datetime.datetime.now(datetime.UTC)
        revoked = x509.RevokedCertificateBuilder().serial_number(issued.serial_number).revocation_date(now).build()
        crl = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(ca.subject)
            .last_update(now)
            .next_update(now + datetime.timedelta(days=1))
            .add_revoked_certificate(revoked)
            .sign(ca_key, hashes.SHA256())
        )
        (trusted / "ca.crl").write_bytes(crl.public_bytes(serialization.Encoding.DER))
        assert not asyncio.run(attempt(with_identity(server, tmp_path / "issued", "urn:issued"))).startswith("was let")
    finally:
        for path in trusted.glob("[cp][al]*"):
            path.unlink()


def test_the_application_uri_must_be_the_certificates(server, known):
    async def pretend():
        client = await as_user(server, known, "vera")
        client.application_uri = "urn:somebody:else"
        return client

    assert asyncio.run(attempt(pretend())) == "BadCertificateUriInvalid"


def user_certificate(server, known, folder, name="chip"):
    async def make():
        client = await secured(server.endpoint_url, known, None)
        await client.load_client_certificate(str(folder / "certificate.der"))
        await client.load_private_key(str(folder / "private-key.pem"))
        return client

    return make()


def test_a_user_logs_in_by_certificate(server, known, people):
    assert asyncio.run(attempt(user_certificate(server, known, people / "chip"))) == "was let through: 9.0"
    assert asyncio.run(attempt(user_certificate(server, known, people / "mallory"))) == "BadUserAccessDenied"
    assert asyncio.run(attempt(as_user(server, known, "chip"))) == "BadUserAccessDenied"  # has no password at all


def test_a_recorded_password_cannot_be_sent_again(server, known):
    """Over a channel that only signs, a listener sees the encrypted password; it holds the nonce of its session."""

    async def replay():
        async with await as_user(server, known, "vera", mode=ua.MessageSecurityMode.Sign) as client:
            certificate = uacrypto.x509_from_der(client.uaclient.security_policy.peer_certificate)
            outcomes = []
            for nonce in (b"x" * 32, b""):
                secret = PASSWORDS["vera"].encode() + nonce
                cipher = uacrypto.encrypt_rsa_oaep(certificate.public_key(), struct.pack("<I", len(secret)) + secret)
                outcomes.append((cipher, "http://www.w3.org/2001/04/xmlenc#rsa-oaep"))
            outcomes.append((PASSWORDS["vera"].encode(), ""))
            return [await name_of_error(activate(client, *o)) for o in outcomes], await read_sinr(client)

    async def activate(client, secret, algorithm):
        token = ua.UserNameIdentityToken(PolicyId="username", UserName="vera", Password=secret, EncryptionAlgorithm=algorithm)
        policy = client.uaclient.security_policy
        challenge = policy.peer_certificate + client._server_nonce
        signature = ua.SignatureData(policy.AsymmetricSignatureURI, policy.asymmetric_cryptography.signature(challenge))
        return await client.uaclient.activate_session(
            ua.ActivateSessionParameters(ClientSignature=signature, UserIdentityToken=token)
        )

    told, still = asyncio.run(replay())
    assert told == ["BadIdentityTokenInvalid"] * 3
    assert still == 9.0


def test_roles_decide_per_service(server, known):
    async def tries(client):
        node = client.get_node(await node_id(client, SINR))
        folder = await node_id(client, "Methods")
        pause = await node_id(client, "Methods/Pause")
        return [
            await name_of_error(node.write_value(1.0)),
            await name_of_error(client.get_node(folder).call_method(ua.NodeId(ua.ObjectIds.Server_GetMonitoredItems), 1)),
            await name_of_error(client.delete_nodes([node])),
            await client.get_node(pause).read_attribute(ua.AttributeIds.UserExecutable),
        ]

    for name, write, executable in (("vera", "BadUserAccessDenied", False), ("egon", "BadNotWritable", True)):
        client = as_user(server, known, name)

        async def use(client=client):
            async with await client as connected:
                return await tries(connected)

        told = asyncio.run(use())
        assert told[:3] == [write, "BadUserAccessDenied", "BadUserAccessDenied"]
        assert told[3].Value.Value is executable


def test_subscriptions_of_others_do_not_exist(server, known):
    async def meddle():
        async with await as_user(server, known, "vera") as owner, await as_user(server, known, "egon") as other:
            subscription = await owner.create_subscription(100, None)
            number = subscription.subscription_id
            request = ua.MonitoredItemCreateRequest(ItemToMonitor=ua.ReadValueId(NodeId=await node_id(owner, SINR)))
            create = ua.CreateMonitoredItemsParameters(SubscriptionId=number, ItemsToCreate=[request])
            told = [
                await name_of_error(other.uaclient.create_monitored_items(create)),
                await name_of_error(other.uaclient.republish(ua.RepublishParameters(number, 1)))
                if hasattr(other.uaclient, "republish")
                else "BadSubscriptionIdInvalid",
                (await other.uaclient.delete_subscriptions([number]))[0].name,
            ]
            own = (await owner.uaclient.delete_subscriptions([number]))[0].name
            return told, own

    told, own = asyncio.run(meddle())
    assert told == ["BadSubscriptionIdInvalid"] * 3
    assert own == "Good"


def test_the_audit_log_tells_logins_and_no_secret(server, known):
    asyncio.run(attempt(secured(server.endpoint_url, known, "egon", "not his password")))
    asyncio.run(attempt(as_user(server, known, "egon")))
    path = server.state / "opcua" / "audit.log"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    logins = [(x["user"], x["role"], x["result"]) for x in lines if x["action"] == "login"][-2:]
    assert logins == [("egon", "", "BadUserAccessDenied"), ("egon", "engineer", "Good")]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "not his password" not in path.read_text()
    assert PASSWORDS["egon"] not in path.read_text()


def hello(url="opc.tcp://x", receive=65535, send=65535):
    body = struct.pack("<5I", 0, receive, send, 0, 0) + struct.pack("<i", len(url)) + url.encode()
    return b"HELF" + struct.pack("<I", 8 + len(body)) + body


@pytest.mark.parametrize(
    "sent",
    [
        b"HELF\xff\xff\xff\xff",
        b"MSGF" + struct.pack("<I", 2**31) + b"\0" * 64,
        hello() + b"MSGF" + struct.pack("<I", 70_000) + b"\0" * 64,
        hello(receive=0),
        hello() + hello(),
        b"MSGF" + struct.pack("<II", 16, 1) + b"\0" * 4,
        hello() + b"OPNF" + struct.pack("<III", 20, 0, 5) + b"\xff" * 4,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_is_no_message_ends_the_connection(server, known, sent):
    with socket.create_connection((server.endpoint_url.split(":")[1].strip("/"), server._config.port), timeout=5) as peer:
        peer.sendall(sent)
        answer = b""
        while chunk := peer.recv(4096):  # ends where the server closes; a silent server runs into the time limit
            answer += chunk
    assert len(answer) < 4096
    assert asyncio.run(attempt(as_user(server, known, "vera"))) == "was let through: 9.0"


def test_half_open_connections_make_room(server, known):
    port = server._config.port
    held = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(140)]
    try:
        assert asyncio.run(attempt(as_user(server, known, "vera"))) == "was let through: 9.0"
    finally:
        for peer in held:
            peer.close()


def test_answers_that_nobody_reads_do_not_pile_up(server, known):
    """Some 40 MB of answers are asked for; a few messages' worth may wait, and then the client is not listened to."""

    async def stuff():
        client = await as_user(server, known, "vera")
        await client.connect()
        protocol = client.uaclient.protocol
        protocol.transport.pause_reading()
        what = [ua.ReadValueId(NodeId=ua.NodeId(SINR, 2), AttributeId=ua.AttributeIds.Description)] * 5000
        request = ua.ReadRequest(Parameters=ua.ReadParameters(NodesToRead=what))
        asked = [asyncio.ensure_future(protocol._send_request(request, timeout=60)) for _ in range(60)]
        most = 0
        for _ in range(150):
            await asyncio.sleep(0.02)
            most = max(most, server.unread_bytes)
        protocol.transport.abort()
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        client._closing = True
        for task in (client._supervisor_task, client._stale_watchdog_task, client._renew_channel_task):
            if task is not None:
                task.cancel()
        return most

    most = asyncio.run(asyncio.wait_for(stuff(), 30))
    assert 100_000 < most < 8_000_000
    assert asyncio.run(attempt(as_user(server, known, "vera"))) == "was let through: 9.0"


@pytest.mark.parametrize(
    ("files", "message"),
    [({"nobody.der": b""}, "there is no user 'nobody'"), ({"vera.der": b"junk"}, "no X.509 certificate")],
)
def test_a_users_certificate_that_cannot_be_used_is_told(tmp_path, people, files, message):
    folder = tmp_path / "certificates"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    config = OpcUaConfig(port=port_of_its_own(), user_file=people / "users", user_certificate_dir=folder)
    with pytest.raises(CredentialsError, match=message):
        OpcUaServer(config, tmp_path / "state").start()
