"""Configuration of the bridges: the ``bridges:`` section of a scenario.

Everything is bound to this machine (loopback) unless the scenario says otherwise; secrets come from files or the environment,
never from the scenario itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridges.loopback import is_loopback as is_loopback
from bridges.page.config import PageConfig
from bridges.qos.port import QosConfig
from bridges.radio_reports import RadioReportsConfig
from bridges.tags import TagsConfig
from bridges.vda5050.config import Vda5050Config

__all__ = ["BridgesConfig", "MappingConfig", "MqttConfig", "MqttTlsConfig", "OpcUaConfig", "is_loopback", "is_topic_prefix"]


def is_topic_prefix(value: str) -> bool:
    """Tell whether a text can be the first levels of topics: no wildcard, no ``$`` or ``/`` in front, no ``/`` behind."""
    return bool(value) and not (any(c in value for c in "+#\0") or value.startswith(("/", "$")) or value.endswith("/"))


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OpcUaConfig(_Model):
    """The OPC UA server.

    Users come from ``user_file`` and from FACTORY_TWIN_OPCUA_USER with FACTORY_TWIN_OPCUA_PASSWORD. Where there is neither, one
    user ``viewer`` is made with a random password, kept in the state folder for its owner only.
    A client whose application certificate is in none of the trusted ones is refused, and its certificate laid into ``rejected``.
    """

    enabled: bool = Field(True, description="Offer the twin over OPC UA when live.")
    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for every network of this machine.")
    port: int = Field(4840, ge=1, le=65535, description="TCP port, 1..65535; 4840 is the registered one.")
    insecure: bool = Field(False, description="Also offer an endpoint without encryption and without a user. For trials only.")
    user_file: Path | None = Field(
        None,
        description="File of lines name:role:hash (roles viewer, engineer, safety; none: viewer); "
        "`python -m bridges.credentials NAME ROLE` asks for a password and prints a line.",
    )
    user_certificate_dir: Path | None = Field(
        None, description="Folder of <user>.der or <user>.pem, the X.509 certificates by which users of user_file may log in."
    )
    nodesets_dir: Path | None = Field(
        None,
        description="Folder of the OPC Foundation's NodeSet2 files for DI, IA, Machinery and Robotics; none: the types in use "
        "are made without them.",
    )
    history_days: float = Field(
        7.0, ge=0, le=3660, description="How long the services' figures are kept for clients, in days; 0: not at all."
    )
    stale_after_s: float = Field(
        2.0, ge=0.5, le=86_400, description="Time in s without news of the twin after which its values are marked as uncertain."
    )
    forecasts: bool = Field(
        True, description="Tell the risk of every link 0.5, 1 and 2 s ahead, by drawn futures of the people in the hall."
    )
    people_for_safety: bool = Field(
        False,
        description="Show users of the role safety where people stand, without who they are. Places of people at work are "
        "personal data: ask the works council and the data protection officer first.",
    )
    trust_any_client: bool = Field(
        False, description="Let a client in whatever application certificate it shows; always so where insecure is true."
    )
    allow_sign: bool = Field(
        False, description="Also offer endpoints that sign without encrypting; whoever is on the network can read along."
    )
    certificate_dir: Path | None = Field(
        None,
        description="Folder of certificate.der and private-key.pem, made there on the first start, and of the folders trusted "
        "and rejected with clients' certificates; default: the state folder.",
    )

    @model_validator(mode="after")
    def _certificates_have_users(self) -> OpcUaConfig:
        if self.user_certificate_dir is not None and self.user_file is None:
            raise ValueError("user_certificate_dir is given without user_file, which names the users and their roles")
        return self


class MqttTlsConfig(_Model):
    """TLS towards an MQTT broker."""

    ca_file: Path | None = Field(
        None, description="Certificates (PEM) that the broker's is checked against; default: the system's."
    )
    certificate_file: Path | None = Field(None, description="Client certificate (PEM), where the broker asks for one.")
    key_file: Path | None = Field(None, description="Private key (PEM) of the client certificate.")

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> MqttTlsConfig:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together: give both or neither")
        return self


class MqttConfig(_Model):
    """The MQTT publisher, and the broker that comes with it where no other is named."""

    enabled: bool = Field(True, description="Publish the twin over MQTT when live.")
    host: str | None = Field(None, min_length=1, description="Broker to publish to; none: start the embedded one on 127.0.0.1.")
    port: int = Field(1883, ge=1, le=65535, description="TCP port of the broker, 1..65535; 1883, or 8883 with TLS.")
    user: str | None = Field(None, min_length=1, description="User name at the broker; its password: password_file.")
    password_file: Path | None = Field(
        None, description="File whose first line is the password; default: the environment's FACTORY_TWIN_MQTT_PASSWORD."
    )
    insecure: bool = Field(False, description="Allow the password to cross a network without TLS.")
    tls: MqttTlsConfig | None = Field(None, description="TLS towards the broker; none: plain TCP.")
    protocol: Literal["3.1.1", "5"] = Field("3.1.1", description="Version of MQTT; the embedded broker speaks 3.1.1.")
    session_expiry_s: int = Field(
        0, ge=0, le=604_800, description="How long the broker keeps messages for a client that is away, in s; 0: not at all."
    )
    reconnect_min_s: float = Field(0.25, ge=0.05, le=60, description="First wait before a lost broker is tried again, in s.")
    reconnect_max_s: float = Field(
        1.5, ge=0.05, le=600, description="Longest wait before a lost broker is tried again, in s; each is 50 to 100 % of it."
    )
    topic_prefix: str = Field("factory-twin", min_length=1, description="First levels of every topic.")
    keepalive_s: int = Field(
        15, ge=2, le=3600, description="Keep-alive in s; a broker declares a silent twin lost after 1.5 of it."
    )
    max_pending: int = Field(
        2000, ge=100, le=1_000_000, description="Messages not yet on the wire beyond which whole publishes are dropped."
    )

    @field_validator("topic_prefix")
    @classmethod
    def _prefix_is_a_topic(cls, value: str) -> str:
        if not is_topic_prefix(value):
            raise ValueError(
                f"topic_prefix {value!r} must not hold + or #, nor begin with / or $, nor end with /; e.g. factory-twin"
            )
        return value

    @model_validator(mode="after")
    def _secrets_stay_secret(self) -> MqttConfig:
        if self.password_file is not None and self.user is None:
            raise ValueError("password_file is given without user: name the user whose password it holds")
        if self.host is None and self.tls is not None:
            raise ValueError(
                "tls is for a broker elsewhere: name its host (the embedded one serves this machine only, in plain TCP)"
            )
        if self.host is None and self.protocol == "5":
            raise ValueError("protocol: '5' needs a broker: name its host (the embedded one speaks 3.1.1)")
        if self.reconnect_max_s < self.reconnect_min_s:
            raise ValueError(
                f"reconnect_max_s {self.reconnect_max_s:g} is below reconnect_min_s {self.reconnect_min_s:g}; "
                "give the first wait and then the longest, for example 0.25 and 1.5"
            )
        if (
            self.host is not None
            and self.user is not None
            and self.tls is None
            and not self.insecure
            and not is_loopback(self.host)
        ):
            raise ValueError(
                f"the password of {self.user!r} would cross the network to {self.host} unencrypted: add tls, or insecure: true"
            )
        return self


class MappingConfig(_Model):
    """Values of real controllers that the twin follows when live."""

    file: Path | None = Field(
        None,
        description="Mapping of nodes, topics and columns to variables of the twin (docs/mapping.md); none: nothing is followed.",
    )


class BridgesConfig(_Model):
    """All bridges of a scenario."""

    page: PageConfig = Field(PageConfig(), description="The page in a browser.")
    opcua: OpcUaConfig = Field(OpcUaConfig(), description="OPC UA server.")
    mqtt: MqttConfig = Field(MqttConfig(), description="MQTT publisher.")
    vda5050: Vda5050Config = Field(Vda5050Config(), description="AGVs as VDA 5050 vehicles, over the broker of mqtt.")
    tags: TagsConfig = Field(TagsConfig(), description="Location tags, over the broker of mqtt.")
    radio_reports: RadioReportsConfig = Field(
        RadioReportsConfig(), description="Radio measurements of real devices, over the broker of mqtt."
    )
    qos: QosConfig = Field(QosConfig(), description="Sessions of better treatment that the network is asked for ahead of risk.")
    mapping: MappingConfig = Field(MappingConfig(), description="Real controllers that the twin follows, by a mapping file.")
