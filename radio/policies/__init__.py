"""Policies: siblings under one contract, one file each."""

from __future__ import annotations

from radio.config import PolicyName, RadioConfig
from radio.policies.base import Observation, Policy, ServingMonitor
from radio.policies.human_aware import HumanAwarePolicy
from radio.policies.reactive import ReactivePolicy
from radio.policies.reports import LinkBudget, Report, SweepReports
from radio.policies.static import StaticPolicy

__all__ = [
    "LinkBudget",
    "Observation",
    "Policy",
    "Report",
    "ServingMonitor",
    "SweepReports",
    "create_policy",
]

_POLICIES: dict[str, type[StaticPolicy | ReactivePolicy]] = {p.name: p for p in (StaticPolicy, ReactivePolicy, HumanAwarePolicy)}


def create_policy(name: PolicyName | str, config: RadioConfig, n_ue: int) -> Policy:
    """Return a fresh policy by name.

    Parameters
    ----------
    name : ``static``, ``reactive`` or ``human_aware``.
    config : the radio section.
    n_ue : number of UEs U.

    Raises
    ------
    ValueError
        For an unknown name, listing the known ones.
    """
    if name not in _POLICIES:
        raise ValueError(f"policy {name!r} is unknown; known: {', '.join(_POLICIES)}")
    return _POLICIES[name](config, n_ue)
