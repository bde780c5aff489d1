"""Two OPC UA clients of other makers read the twin: node-opcua (JavaScript) and the older Python package ``opcua``."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import pytest
from demo_view import demo_view

from bridges.config import OpcUaConfig
from bridges.opcua import OpcUaServer
from bridges.opcua.certificate import load_or_make
from bridges.opcua.nodes import NAMESPACE_URI

HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.counterpart,
    # the package `opcua` is no longer maintained and calls functions that Python and cryptography deprecate
    pytest.mark.filterwarnings("ignore::DeprecationWarning:opcua"),
    pytest.mark.filterwarnings("ignore:.*utcnow.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning"),
]

USER, PASSWORD = "viewer", "aisle seven, cell 3"
WANTED = {"Links/agv-01/ServingBeam": 10, "Links/agv-01/SinrDownlink": 17.25, "Services/agv-control/Availability": 0.999_999_1}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACTORY_TWIN_OPCUA_USER", USER)
        patch.setenv("FACTORY_TWIN_OPCUA_PASSWORD", PASSWORD)
        twin = OpcUaServer(OpcUaConfig(port=port, trust_any_client=True, stale_after_s=3600), tmp_path_factory.mktemp("state"))
        twin.start(demo_view(2_000_000, sinr_db=17.25))
    yield twin
    twin.stop()


@pytest.fixture(scope="module")
def client_folder(tmp_path_factory):
    """Folder of a client's certificate and trust list, made once."""
    return tmp_path_factory.mktemp("client")


def ask_node(node: str, url: str, folder: Path, mode: str, user: str, password: str) -> dict:
    folder.mkdir(exist_ok=True)
    command = [node, str(HERE / "read.mjs"), url, str(folder), mode, user, password, *WANTED, "Links/panel-3/SinrDownlink"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, f"node-opcua said nothing: {done.stdout[-500:]} {done.stderr[-1500:]}"
    return json.loads(lines[-1])


def test_node_opcua_reads_over_an_encrypted_channel(server, node_opcua, client_folder):
    answer = ask_node(node_opcua, server.endpoint_url, client_folder / "node", "SignAndEncrypt", USER, PASSWORD)
    assert "refused" not in answer
    values = answer["values"]
    assert {k: values[k]["value"] for k in WANTED} == pytest.approx(WANTED)
    assert {values[k]["status"] for k in WANTED} == {"Good"}
    assert values["Links/agv-01/SinrDownlink"]["sourceTimestamp"]
    assert values["Links/panel-3/SinrDownlink"]["status"] == "BadNoData"


@pytest.mark.parametrize(
    ("mode", "user", "password", "says"),
    [
        ("SignAndEncrypt", USER, "wrong", "BadUserAccessDenied"),
        ("SignAndEncrypt", "", "", "anonymous"),
        ("None", USER, PASSWORD, "End point must exist"),
        ("None", "", "", "End point must exist"),
    ],
)
def test_node_opcua_is_refused(server, node_opcua, client_folder, mode, user, password, says):
    answer = ask_node(node_opcua, server.endpoint_url, client_folder / "node", mode, user, password)
    assert "values" not in answer
    assert says.lower() in answer["refused"].lower()


@pytest.fixture
def opcua():
    return pytest.importorskip("opcua", reason="the package opcua is in the test extra", exc_type=ImportError)


def connect(opcua, server: OpcUaServer, folder: Path, user: str, password: str, secure: bool = True):
    client = opcua.Client(server.endpoint_url, timeout=10)
    client.set_user(user)
    client.set_password(password)
    if secure:
        own = load_or_make(folder, "127.0.0.1")
        client.application_uri = own.application_uri
        client.set_security_string(f"Basic256Sha256,SignAndEncrypt,{own.certificate},{own.private_key}")
    return client


def test_the_older_python_client_reads_over_an_encrypted_channel(server, opcua, client_folder):
    client = connect(opcua, server, client_folder / "python", USER, PASSWORD)
    client.connect()
    try:
        index = client.get_namespace_index(NAMESPACE_URI)
        read = {k: client.get_node(f"ns={index};s={k}").get_value() for k in WANTED}
        assert read == pytest.approx(WANTED)
        with pytest.raises(opcua.ua.UaStatusCodeError):
            client.get_node(f"ns={index};s=Links/agv-01/SinrDownlink").set_value(1.0)
        assert client.get_node(f"ns={index};s=Links/agv-01/SinrDownlink").get_value() == 17.25
    finally:
        client.disconnect()


def test_the_older_python_client_is_refused_with_a_wrong_password(server, opcua, client_folder):
    client = connect(opcua, server, client_folder / "python", USER, "wrong")
    with pytest.raises(opcua.ua.UaStatusCodeError, match=r"BadUserAccessDenied|denied"):
        client.connect()


def test_the_older_python_client_is_refused_without_security(server, opcua, client_folder):
    client = connect(opcua, server, client_folder / "python", USER, PASSWORD, secure=False)
    with pytest.raises(opcua.ua.UaError):
        client.connect()


def test_an_unauthenticated_session_of_the_older_client_reads_and_writes_nothing(server, opcua, client_folder):
    """The package's own server let such a session write; this client sends the same requests to ours."""
    ua = opcua.ua
    client = connect(opcua, server, client_folder / "python", USER, PASSWORD)
    client.connect_socket()
    try:
        client.send_hello()
        client.open_secure_channel()
        client.create_session()
        node = client.get_node("ns=2;s=Links/agv-01/SinrDownlink")
        with pytest.raises(ua.UaStatusCodeError):
            node.get_value()
        with pytest.raises(ua.UaStatusCodeError):
            node.set_value(ua.DataValue(ua.Variant(99.0, ua.VariantType.Double)))
        with pytest.raises(ua.UaStatusCodeError):
            client.get_objects_node().get_children()
    finally:
        client.keepalive.stop()
        client.close_secure_channel()
        client.disconnect_socket()
    client = connect(opcua, server, client_folder / "python", USER, PASSWORD)
    client.connect()
    try:
        assert client.get_node("ns=2;s=Links/agv-01/SinrDownlink").get_value() == 17.25
    finally:
        client.disconnect()
