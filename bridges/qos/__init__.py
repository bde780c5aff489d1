"""Quality of service on demand: better treatment of a device's flows is asked of the network ahead of risk, and given back after.

Every adapter states an intent. None of them sets an MCS, repetitions or a beam: how the network serves it is its own
affair.
"""

from bridges.qos.keeper import QosKeeper as QosKeeper
from bridges.qos.port import QosConfig as QosConfig
from bridges.qos.port import QosError as QosError
from bridges.qos.port import QosPort as QosPort
from bridges.qos.port import Session as Session

__all__ = ["QosConfig", "QosError", "QosKeeper", "QosPort", "Session"]
