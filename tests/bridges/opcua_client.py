"""An asyncua client as plants have them: certificate, encryption, user and password."""

from __future__ import annotations

from pathlib import Path

from asyncua import Client, ua
from asyncua.crypto import security_policies

from bridges.opcua.certificate import load_or_make
from bridges.opcua.nodes import NAMESPACE_URI

USER, PASSWORD = "viewer", "aisle seven, cell 3"


async def secured(
    url: str, folder: Path, user: str | None = USER, password: str | None = PASSWORD, policy: str = "Basic256Sha256"
) -> Client:
    """Return a client, not yet connected, with Sign and Encrypt; its certificate is made in the folder."""
    own = load_or_make(folder, "127.0.0.1")
    client = Client(url, timeout=10)
    client.application_uri = own.application_uri
    await client.set_security(
        getattr(security_policies, f"SecurityPolicy{policy}"),
        certificate=own.certificate,
        private_key=own.private_key,
        mode=ua.MessageSecurityMode.SignAndEncrypt,
    )
    if user is not None:
        client.set_user(user)
        client.set_password(password or "")
    return client


async def node_id(client: Client, identifier: str) -> ua.NodeId:
    """Return the id of a node of the twin's namespace."""
    return ua.NodeId(identifier, await client.get_namespace_index(NAMESPACE_URI))
