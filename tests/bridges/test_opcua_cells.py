"""Cells show what asyncua's own way of writing shows, make a value only for somebody, and once for all."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from asyncua import ua
from asyncua.server.address_space import AddressSpace, AttributeValue, NodeData
from asyncua.ua.attribute_ids import AttributeIds

from bridges.opcua.cells import Cell
from bridges.opcua.space import BAD_GONE, BAD_NO_DATA, GOOD, UNCERTAIN

NODE = ua.NodeId("Links/agv-01/SinrDownlink", 2)
T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
KINDS = {
    ua.VariantType.Double: lambda rng: float(rng.normal()),
    ua.VariantType.String: lambda rng: f"trp-{rng.integers(9)}",
    ua.VariantType.Boolean: lambda rng: bool(rng.integers(2)),
    ua.VariantType.UInt32: lambda rng: int(rng.integers(2**32)),
    ua.VariantType.LocalizedText: lambda rng: ua.LocalizedText(f"state {rng.integers(9)}"),
}


class Listener:
    """Takes values as a subscription's items do, by either way."""

    def __init__(self) -> None:
        self.took: list[tuple[int, ua.DataValue]] = []

    async def datachange_callback(self, handle, value, error=None):
        self.take(handle, value)

    def take(self, handle, value):
        self.took.append((handle, value))


def space_with(kind):
    space, data = AddressSpace(), NodeData(NODE)
    data.attributes[AttributeIds.DataType] = AttributeValue(ua.DataValue(ua.Variant(ua.NodeId(kind.value))))
    data.attributes[AttributeIds.Value] = AttributeValue(ua.DataValue(ua.Variant(None, ua.VariantType.Null)))
    space._nodes[NODE] = data
    return space, data.attributes[AttributeIds.Value]


async def written(space, kind, value, code, stamp, arrived):
    """Write by asyncua's own way, the reference."""
    variant = ua.Variant(None, ua.VariantType.Null) if value is None else ua.Variant(value, kind)
    data = ua.DataValue(variant, code, SourceTimestamp=stamp, ServerTimestamp=arrived)
    (await space.write_attribute_value(NODE, AttributeIds.Value, data)).check()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_it_shows_what_the_library_shows(kind):
    rng = np.random.default_rng(5)
    ours, attribute = space_with(kind)
    theirs, other = space_with(kind)
    cell, told, reference = Cell(attribute, kind), Listener(), Listener()
    for k in range(60):
        if k == 20:  # somebody subscribes
            attribute.datachange_callbacks[7] = told.datachange_callback
            other.datachange_callbacks[7] = reference.datachange_callback
        if k == 40:  # and goes
            attribute.datachange_callbacks.clear()
            other.datachange_callbacks.clear()
        code = [GOOD, BAD_NO_DATA, BAD_GONE, UNCERTAIN][rng.choice(4, p=[0.7, 0.1, 0.1, 0.1])]
        value = KINDS[kind](rng) if code in (GOOD, UNCERTAIN) else None
        stamp, arrived = T0 + timedelta(seconds=k), T0 + timedelta(seconds=k + 0.02)
        cell.show(value, code, stamp, arrived)
        asyncio.run(written(theirs, kind, value, code, stamp, arrived))
        seen = ours.read_attribute_value(NODE, AttributeIds.Value)
        assert seen == theirs.read_attribute_value(NODE, AttributeIds.Value)
        assert ua.ua_binary.struct_to_binary(seen) == ua.ua_binary.struct_to_binary(
            theirs.read_attribute_value(NODE, AttributeIds.Value)
        )
    assert told.took == reference.took
    assert len(told.took) == 20


def test_a_list_is_an_array():
    space, attribute = space_with(ua.VariantType.String)
    Cell(attribute, ua.VariantType.String).show(["a", "b"], GOOD, T0, T0)
    seen = space.read_attribute_value(NODE, AttributeIds.Value).Value
    assert (seen.Value, seen.is_array) == (["a", "b"], True)


def test_a_value_is_made_for_a_reader_and_once_for_all_subscribers():
    made = []

    def degrees(value):
        made.append(value)
        return math.degrees(value)

    space, attribute = space_with(ua.VariantType.Double)
    cell = Cell(attribute, ua.VariantType.Double, degrees)
    for k in range(5):
        cell.show(float(k), GOOD, T0, T0)
    assert made == []
    assert space.read_attribute_value(NODE, AttributeIds.Value).Value.Value == math.degrees(4.0)
    listeners = [Listener(), Listener()]
    for handle, listener in enumerate(listeners):
        attribute.datachange_callbacks[handle] = listener.datachange_callback
    made.clear()
    cell.show(1.0, GOOD, T0, T0)
    assert made == [1.0]
    (first,), (second,) = (listener.took for listener in listeners)
    assert first[1] is second[1]
    assert (first[0], second[0]) == (0, 1)


def test_an_item_that_fails_takes_nothing_from_the_others(caplog):
    class Broken(Listener):
        def take(self, handle, value):
            raise RuntimeError("no room")

    _, attribute = space_with(ua.VariantType.Double)
    good = Listener()
    attribute.datachange_callbacks |= {1: Broken().datachange_callback, 2: good.datachange_callback}
    Cell(attribute, ua.VariantType.Double).show(2.0, GOOD, T0, T0)
    assert good.took[0][1].Value.Value == 2.0
    assert "did not take a value" in caplog.text
