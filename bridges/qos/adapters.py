"""The three interfaces behind the port.

CAMARA Quality-on-Demand (sessions), 3GPP AsSessionWithQoS (TS 29.122 5.14, subscriptions) and O-RAN A1 policies (A1-AP). All
three state an intent for a device's flows. None sets MCS, repetitions or beams.
"""

from __future__ import annotations

import uuid
from typing import Any

from bridges.qos.http import ask
from bridges.qos.port import QosConfig, QosError, QosPort, Session, State

__all__ = ["A1Port", "AsSessionPort", "CamaraPort", "create_port"]

_STATES: dict[str, State] = {"REQUESTED": "requested", "AVAILABLE": "available", "UNAVAILABLE": "unavailable"}


def create_port(config: QosConfig) -> QosPort:
    """Make the adapter that a configuration asks for."""
    ports: dict[str, type[CamaraPort] | type[AsSessionPort] | type[A1Port]] = {
        "camara": CamaraPort, "as-session-with-qos": AsSessionPort, "a1": A1Port,
    }  # fmt: skip
    return ports[config.interface](config)


def _text(answer: Any, key: str) -> str:
    if not isinstance(answer, dict) or not isinstance(answer.get(key), str):
        raise QosError(f"the answer has no {key}", again=True)
    return str(answer[key])


class CamaraPort:
    """CAMARA Quality-on-Demand.

    A request whose answer is lost may have made a session. So before a second try the device's sessions are asked for, and one of
    our profile is taken over instead of opening another.
    """

    endless = False

    def __init__(self, config: QosConfig) -> None:
        self._config = config
        self._unanswered: set[str] = set()

    def open(self, device: str, duration_s: int) -> Session:
        """POST /sessions."""
        config = self._config
        if device in self._unanswered:
            found, _ = ask(config, "POST", "/retrieve-sessions", {"device": _device(device)}, _correlator())
            for one in found if isinstance(found, list) else []:
                if isinstance(one, dict) and one.get("qosProfile") == config.profile and one.get("qosStatus") != "UNAVAILABLE":
                    self._unanswered.discard(device)
                    return self._session(device, one)
        body = {
            "device": _device(device), "applicationServer": {"ipv4Address": config.server_ip},
            "qosProfile": config.profile, "duration": duration_s,
        }  # fmt: skip
        try:
            answer, _ = ask(config, "POST", "/sessions", body, _correlator())
            session = self._session(device, answer)
        except QosError as error:
            if error.again:
                self._unanswered.add(device)
            raise
        self._unanswered.discard(device)
        return session

    def extend(self, session: Session, more_s: int) -> Session:
        """POST /sessions/{sessionId}/extend."""
        body = {"requestedAdditionalDuration": more_s}
        answer, _ = ask(self._config, "POST", f"/sessions/{session.id}/extend", body, _correlator())
        return self._session(session.device, answer)

    def status(self, session: Session) -> Session:
        """GET /sessions/{sessionId}."""
        answer, _ = ask(self._config, "GET", f"/sessions/{session.id}", None, _correlator())
        return self._session(session.device, answer)

    def close(self, session: Session) -> None:
        """DELETE /sessions/{sessionId}."""
        _delete(self._config, f"/sessions/{session.id}", _correlator())

    def _session(self, device: str, answer: Any) -> Session:
        state, duration = _STATES.get(_text(answer, "qosStatus")), answer.get("duration")
        if state is None or not isinstance(duration, int) or duration < 1:
            raise QosError(f"the answer has qosStatus {answer['qosStatus']!r} and duration {duration!r}", again=True)
        return Session(_path_safe(_text(answer, "sessionId")), device, state, duration)


class AsSessionPort:
    """3GPP AsSessionWithQoS (TS 29.122, clause 5.14): a subscription per device, without an end of its own."""

    endless = True

    def __init__(self, config: QosConfig) -> None:
        self._config, self._root = config, f"/{config.consumer}/subscriptions"

    def open(self, device: str, duration_s: int) -> Session:
        """POST /{scsAsId}/subscriptions, unless the device has one of our reference already."""
        config = self._config
        known, _ = ask(config, "GET", self._root)
        for one in known if isinstance(known, list) else []:
            if isinstance(one, dict) and one.get("ueIpv4Addr") == device and one.get("qosReference") == config.profile:
                return self._session(device, _text(one, "self"))
        flow = f"permit out ip from {config.server_ip} to {device}"
        body = {
            "ueIpv4Addr": device, "qosReference": config.profile, "supportedFeatures": "0",
            "notificationDestination": f"http://{config.server_ip}/", "flowInfo": [{"flowId": 1, "flowDescriptions": [flow]}],
        }  # fmt: skip
        _, headers = ask(config, "POST", self._root, body)
        if "location" not in headers:
            raise QosError("the answer has no Location", again=True)
        return self._session(device, headers["location"])

    def extend(self, session: Session, more_s: int) -> Session:
        """Confirm that it is still there; nothing needs to be prolonged."""
        return self.status(session)

    def status(self, session: Session) -> Session:
        """GET the subscription; that it exists means that the network has accepted it."""
        ask(self._config, "GET", f"{self._root}/{session.id}")
        return session

    def close(self, session: Session) -> None:
        """DELETE the subscription."""
        _delete(self._config, f"{self._root}/{session.id}")

    def _session(self, device: str, link: str) -> Session:
        return Session(_path_safe(link.rstrip("/").rsplit("/", 1)[-1]), device, "available", None)


class A1Port:
    """O-RAN A1 policy (A1-AP): PUT under an id of our own, so a repeated request changes nothing.

    The object is that of a QoS target: a device and a profile. Policy types are agreed with the operator; its fields are assumed.
    """

    endless = True

    def __init__(self, config: QosConfig) -> None:
        self._config, self._root = config, f"/policytypes/{config.profile}/policies"

    def open(self, device: str, duration_s: int) -> Session:
        """PUT /policytypes/{policyTypeId}/policies/{policyId}."""
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._config.consumer}/{self._config.profile}/{device}"))
        body = {"scope": {"ueId": device}, "qosObjectives": {"priorityLevel": 1}}
        ask(self._config, "PUT", f"{self._root}/{name}", body)
        return self.status(Session(name, device, "requested", None))

    def extend(self, session: Session, more_s: int) -> Session:
        """Put the policy again; it has no end."""
        return self.open(session.device, more_s)

    def status(self, session: Session) -> Session:
        """GET .../status: ENFORCED means available."""
        answer, _ = ask(self._config, "GET", f"{self._root}/{session.id}/status")
        enforced = _text(answer, "enforceStatus") == "ENFORCED"
        return Session(session.id, session.device, "available" if enforced else "requested", None)

    def close(self, session: Session) -> None:
        """DELETE the policy."""
        _delete(self._config, f"{self._root}/{session.id}")


def _device(address: str) -> dict[str, Any]:
    return {"ipv4Address": {"publicAddress": address, "privateAddress": address}}


def _correlator() -> dict[str, str]:
    return {"x-correlator": str(uuid.uuid4())}


def _path_safe(name: str) -> str:
    """Refuse a name of the network's that would lead somewhere else in a path."""
    if not name or not all(c.isalnum() or c in "-_." for c in name) or name.startswith("."):
        raise QosError(f"the session id {name[:60]!r} is no name", again=False)
    return name


def _delete(config: QosConfig, path: str, headers: dict[str, str] | None = None) -> None:
    try:
        ask(config, "DELETE", path, None, headers)
    except QosError as error:
        if not error.gone:
            raise
