"""Policies: siblings under one contract, one file each."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from radio.config import RadioConfig
from radio.policies.adaptive import AdaptivePolicy
from radio.policies.base import Observation, Policy, ServingMonitor
from radio.policies.decentralised import DecentralisedPolicy
from radio.policies.duplicate import DuplicatePolicy
from radio.policies.human_aware import HumanAwarePolicy
from radio.policies.oracle import OraclePolicy
from radio.policies.reactive import ReactivePolicy
from radio.policies.reports import LinkBudget, Report, SweepReports
from radio.policies.static import StaticPolicy
from radio.policy_names import known_policy, registered

__all__ = [
    "LinkBudget",
    "Observation",
    "Policy",
    "Report",
    "ServingMonitor",
    "SweepReports",
    "create_policy",
    "policy_class",
]

_POLICIES: dict[str, Callable[[RadioConfig, int], Policy]] = {
    p.name: p
    for p in (StaticPolicy, ReactivePolicy, DuplicatePolicy, HumanAwarePolicy, AdaptivePolicy, OraclePolicy, DecentralisedPolicy)
}


def policy_class(name: str) -> Callable[[RadioConfig, int], Policy]:
    """Return what makes a policy: a class of this room, or what a package registered in the group ``factory_twin.policies``.

    Raises
    ------
    ValueError
        For an unknown name, listing the known ones, and for a registered one that cannot be loaded.
    """
    if known_policy(name) in _POLICIES:
        return _POLICIES[name]
    point = registered()[name]
    try:
        made = point.load()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"policy {name!r} is registered as {point.value}, which cannot be loaded: {error}") from error
    if not callable(made):
        raise ValueError(f"policy {name!r} is registered as {point.value}, which is no class")
    return cast(Callable[[RadioConfig, int], Policy], made)


def create_policy(name: str, config: RadioConfig, n_ue: int) -> Policy:
    """Return a fresh policy by name.

    Parameters
    ----------
    name : ``static``, ``reactive``, ``duplicate``, ``human_aware``, ``oracle``, ``decentralised``, or that of a registered one.
    config : the radio section.
    n_ue : number of UEs U.

    Raises
    ------
    ValueError
        For an unknown name, listing the known ones; for a registered one that cannot be loaded or breaks the contract.
    """
    policy = policy_class(name)(config, n_ue)
    if not isinstance(policy, Policy) or policy.name != name:
        raise ValueError(f"policy {name!r} has to have a method plan and name = {name!r}; see radio.policies.base.Policy")
    return policy
