"""Short forms of what ``python -m tests.opcua_abuse.abuse`` does for minutes: the server answers a good client after each."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua import ua_binary
from asyncua.ua.uaerrors import UaError

from bridges.opcua.decoding import harden_decoder
from tests.opcua_abuse import abuse
from tests.opcua_abuse.host import Host
from tests.opcua_abuse.mutate import mutated, requests
from tests.opcua_abuse.wire import Wire


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    host = Host(tmp_path_factory.mktemp("host"))
    yield host
    host.stop()


@pytest.fixture(autouse=True)
def _serves_on(host):
    before = host.state()
    yield
    assert abuse.good_client(host.port)
    after = _ticked_after(host, before["ticks"])
    assert after["ticks"] > before["ticks"]
    assert after["rss_mb"] < before["rss_mb"] + 60
    assert after["threads"] <= before["threads"] + 1  # asyncio's own helper, made once


def _ticked_after(host, ticks, patience_s=20.0):
    """Return the host's state once it has ticked again, or its last one when it does not in time."""
    deadline = time.monotonic() + patience_s
    while (state := host.state())["ticks"] <= ticks and time.monotonic() < deadline:
        time.sleep(0.05)
    return state


def test_mutated_messages_break_nothing(host):
    told = abuse.fuzz(host.port, 4.0, seed=7)
    assert told["messages"] > 20
    assert "no way in within 60 s" not in told["outcomes"]


def test_faults_are_the_same_for_the_same_seed():
    body = b"a good message of a client" * 4
    first, again, other = (mutated(body, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first == again != body
    assert other != first
    assert len({type(r) for r in requests()}) == len(requests())


def test_what_decodes_to_millions_is_refused(host):
    told = abuse.bombs(host.port, repeats=2)
    assert told["outcomes"] == {"ended: BadSecurityChecksFailed": 8}


def test_a_stranger_cannot_collect_megabytes(host):
    told = abuse.chunks(host.port, connections=5)
    assert "collected" not in told["outcomes"]
    assert told["outcomes"]["announced 4294967295: BadTcpMessageTooLarge"] == 1


def test_half_open_connections_lock_nobody_out(host):
    told = abuse.half_open(host.port, 300)
    assert told["good clients let in beside them"] == "10 of 10"


def test_nothing_is_let_through_before_activation(host):
    told = abuse.strangers(host.port, repeats=3)
    assert told["let through"] == 0
    assert {what.split(":")[0] for what in told["outcomes"]} == {"no session", "not activated", "another's token"}


def test_certificates_that_cannot_be_used(host):
    told = abuse.certificates(host.port, host.folder, repeats=2)
    assert told["outcomes"] == {
        "expired: BadCertificateTimeInvalid": 2,
        "not yet valid: BadCertificateTimeInvalid": 2,
        "junk: BadCertificateInvalid": 2,
        "signed by another key: BadSecurityChecksFailed": 2,
    }


def subscribed(wire, number_of_items, queue):
    """Make a subscription with items, and return the lengths of their queues or the name of the refusal."""
    request = ua.CreateSubscriptionRequest()
    request.Parameters.RequestedPublishingInterval = 20.0
    request.Parameters.RequestedLifetimeCount = 1000
    request.Parameters.PublishingEnabled = True
    header, body = wire.ask(request)
    if not header.ServiceResult.is_good():
        return header.ServiceResult.name
    items = ua.CreateMonitoredItemsRequest()
    items.Parameters.SubscriptionId = int.from_bytes(body.read(4), "little")
    item = ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=ua.NodeId("Links/agv-001/SinrDownlink", 2), AttributeId=ua.AttributeIds.Value),
        RequestedParameters=ua.MonitoringParameters(SamplingInterval=0.0, QueueSize=queue),
    )
    items.Parameters.ItemsToCreate = [item] * number_of_items
    header, body = wire.ask(items)
    if not header.ServiceResult.is_good():
        return header.ServiceResult.name
    count = int.from_bytes(body.read(4), "little")
    return [ua_binary.struct_from_binary(ua.MonitoredItemCreateResult, body).RevisedQueueSize for _ in range(count)]


def test_the_places_of_queues_are_shared(host):
    with Wire(host.port, 60.0).open() as wire:
        wire.create().activate()
        sizes = subscribed(wire, 150, 2**31)
    assert sizes[:100] == [1000] * 100
    assert sizes[100:] == [1] * 50


def test_a_session_has_its_share_of_subscriptions(host):
    with Wire(host.port, 60.0).open() as wire:
        wire.create().activate()
        made = [subscribed(wire, 1, 1) for _ in range(21)]
    assert made == [[1]] * 20 + ["BadTooManySubscriptions"]


def test_good_arrays_are_decoded_as_before():
    harden_decoder()
    values = [
        ua.Variant([1.0, 2.0, 3.0], ua.VariantType.Double),
        ua.Variant([[1, 2, 3], [4, 5, 6]], ua.VariantType.Int32),
        ua.Variant([], ua.VariantType.String, is_array=True),
        ua.Variant(None, ua.VariantType.Null),
    ]
    for value in values:
        again = ua_binary.variant_from_binary(Buffer(ua_binary.variant_to_binary(value)))
        assert again.Value == value.Value


@pytest.mark.parametrize("dims", [[2, 2], [-1, -3], [3, 0], [1_000_000], [1] * 5 + [4]])
def test_wrong_dimensions_are_a_decoding_error(dims):
    harden_decoder()
    assert math.prod(dims) != 3 or min(dims) < 0
    wrong = bytes([0xC6]) + (3).to_bytes(4, "little") + bytes(12) + len(dims).to_bytes(4, "little")
    wrong += b"".join(d.to_bytes(4, "little", signed=True) for d in dims)
    with pytest.raises(UaError):
        ua_binary.variant_from_binary(Buffer(wrong))
