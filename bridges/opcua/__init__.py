"""OPC UA: the twin as a server that plant systems read.

The address space is told in :mod:`bridges.opcua.nodes`, who may connect in :mod:`bridges.opcua.security`.
"""

from bridges.opcua.server import OpcUaServer

__all__ = ["OpcUaServer"]
