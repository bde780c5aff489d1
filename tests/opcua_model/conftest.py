"""What the tests of the OPC UA model share: a server of a sample hall, without a socket, and sessions of each role on it."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from asyncua import ua
from asyncua.crypto.permission_rules import UserRole
from asyncua.ua.attribute_ids import AttributeIds

from bridges.config import OpcUaConfig
from bridges.opcua.rights import RightsSession
from bridges.opcua.sample import make_sample, sample_view
from bridges.opcua.session import TwinUser

# the clients and users of the bridges' own tests
sys.path.insert(0, str(Path(__file__).parent.parent / "bridges"))


class Hall:
    """A sample hall in an address space; views are shown in it, and sessions look at it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.sample = self.run(make_sample(sample_view(), OpcUaConfig(), people=True))
        self.guarded, self.model = self.sample.guarded, self.sample.model
        self.index = self.model.nodes.index

    def run(self, awaitable):
        return self.loop.run_until_complete(awaitable)

    def show(self, view):
        self.run(self.model.show(view, datetime(2026, 1, 1, tzinfo=UTC)))

    def id(self, identifier: str) -> ua.NodeId:
        return ua.NodeId(identifier, self.index)

    def data(self, node, attribute=AttributeIds.Value) -> ua.DataValue:
        node = self.id(node) if isinstance(node, str) else node
        return self.guarded.aspace.read_attribute_value(node, attribute)

    def value(self, node):
        return self.data(node).Value.Value

    def status(self, node) -> str:
        return self.data(node).StatusCode.name

    def session(self, role: str) -> RightsSession:
        user = TwinUser(role=UserRole.User, name=role, twin_role=role)
        guarded = self.guarded
        return RightsSession(guarded, guarded.aspace, guarded.subscription_service, role, user=user, external=True)

    def call(self, role: str, node, method, *arguments):
        request = ua.CallMethodRequest(ObjectId=node, MethodId=method, InputArguments=list(arguments))
        return self.run(self.session(role).call([request]))[0]


@pytest.fixture(scope="session")
def whole_hall():
    hall = Hall()
    yield hall
    hall.loop.run_until_complete(hall.loop.shutdown_asyncgens())
    hall.loop.close()


@pytest.fixture
def hall(whole_hall):
    """Return the hall as the sample view has it."""
    whole_hall.show(sample_view())
    return whole_hall
