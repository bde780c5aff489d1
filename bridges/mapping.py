"""A mapping: which node, message or column of a plant is which variable of the twin.

One YAML file names the sources (OPC UA servers, MQTT brokers, CSV recordings) and, variable by variable, where its value comes
from, its unit, its dead time and when it is stale. :mod:`bridges.mapping_file` reads it; docs/mapping.md is for its authors.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridges.config import MqttConfig
from bridges.mapping_path import parse_json_path

__all__ = ["Asset", "CsvSource", "Entry", "Mapping", "MqttSource", "OpcUaSource", "Source", "WriteBack"]

NODE_ID = re.compile(r"(?:ns=(\d{1,5});|nsu=([^;]+);)?([isgb])=(.+)", re.DOTALL)
"""Text form of a node id (OPC 10000-6, 5.3.1.10), with the namespace's URI instead of its index where ``nsu=`` is used."""

WhenStale = Literal["simulate", "stand"]
StaleBy = Literal["source_time", "connection"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class OpcUaSource(_Model):
    """An OPC UA server of the plant."""

    kind: Literal["opcua"]
    url: str = Field(description="Address of the server, for example opc.tcp://10.1.2.3:4840.", pattern=r"^opc\.tcp://[^\s]+$")
    policy: Literal["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss", "None"] = Field(
        "Basic256Sha256", description="Security policy; None only with insecure: true."
    )
    mode: Literal["Sign", "SignAndEncrypt"] = Field("SignAndEncrypt", description="Message security mode.")
    insecure: bool = Field(False, description="Allow policy None. For trials only.")
    user: str | None = Field(None, min_length=1, description="User name; its password: password_file.")
    password_file: Path | None = Field(None, description="File whose first line is the password.")
    user_certificate_file: Path | None = Field(None, description="X.509 certificate (DER or PEM) to log in with.")
    user_key_file: Path | None = Field(None, description="Its private key (DER or PEM).")
    certificate_dir: Path | None = Field(
        None,
        description="Folder of the client's certificate.der and private-key.pem and of the folders trusted and rejected with "
        "servers' certificates; default: opcua-client in the state folder.",
    )
    publishing_ms: float = Field(100.0, ge=20, le=60_000, description="How often the server tells what changed, in ms.")
    sampling_ms: float = Field(50.0, ge=0, le=60_000, description="How often the server looks at a value, in ms.")
    timeout_s: float = Field(4.0, ge=0.2, le=60, description="A request without an answer for this long counts as failed, in s.")
    reconnect_min_s: float = Field(0.25, ge=0.05, le=60, description="First wait before a lost server is tried again, in s.")
    reconnect_max_s: float = Field(
        0.5, ge=0.05, le=600, description="Longest wait before a lost server is tried again, in s; each is 50 to 100 % of it."
    )

    @model_validator(mode="after")
    def _is_safe(self) -> OpcUaSource:
        if self.policy == "None" and not self.insecure:
            raise ValueError("policy 'None' encrypts nothing: choose 'Basic256Sha256', or add insecure: true for a trial")
        if self.user is not None and self.password_file is None:
            raise ValueError(f"user {self.user!r} has no password: give password_file")
        if self.user is None and self.password_file is not None:
            raise ValueError("password_file is given without user: name the user whose password it holds")
        if self.user is not None and self.policy == "None":
            raise ValueError(
                f"the password of {self.user!r} would cross the network unencrypted: choose another policy than 'None'"
            )
        if (self.user_certificate_file is None) != (self.user_key_file is None):
            raise ValueError("user_certificate_file and user_key_file belong together: give both or neither")
        if self.user is not None and self.user_certificate_file is not None:
            raise ValueError("log in by user and password_file or by user_certificate_file, not by both")
        if self.reconnect_max_s < self.reconnect_min_s:
            raise ValueError(f"reconnect_max_s {self.reconnect_max_s:g} is below reconnect_min_s {self.reconnect_min_s:g}")
        return self


class MqttSource(_Model):
    """An MQTT broker on which machines tell their values as JSON."""

    kind: Literal["mqtt"]
    broker: MqttConfig | None = Field(None, description="The broker; default: the one of bridges.mqtt of the scenario.")
    qos: Literal[0, 1, 2] = Field(0, description="Highest quality of service that is asked for.")
    max_bytes: int = Field(100_000, ge=64, le=10_000_000, description="A longer message is refused, in bytes.")


class CsvSource(_Model):
    """A recording as a table, replayed from the start of the twin on."""

    kind: Literal["csv"]
    file: Path = Field(description="The table, with a line of column names.")
    time_column: str = Field("time_s", min_length=1, description="Column of the time in s.")
    separator: str = Field(",", min_length=1, max_length=1, description="Between columns.")
    speed: float = Field(1.0, gt=0, le=1000, description="Recorded time over wall time.")
    repeat: bool = Field(False, description="Begin again at the end.")


Source = Annotated[OpcUaSource | MqttSource | CsvSource, Field(discriminator="kind")]


class WriteBack(_Model):
    """How an advice of the twin is written to its node."""

    min_interval_s: float = Field(1.0, ge=0.05, le=3600, description="Shortest time between two writes in s.")
    min_change: float = Field(
        0.0, ge=0, le=1e9, description="A smaller change than this is not written, in the entry's unit; truth values: any change."
    )
    type: Literal["Boolean", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float", "Double"] = Field(
        "Double", description="OPC UA data type of the node."
    )


class Entry(_Model):
    """One variable of the twin and where its value is in the plant."""

    twin: str = Field(min_length=3, description="Variable of the twin, for example cobots.cobot-1.joint_3.")
    source: str = Field(min_length=1, description="Name of one of the sources.")
    node: str | None = Field(None, description="OPC UA: node id, for example ns=2;s=Robot/A3 or nsu=urn:robot;s=A3.")
    topic: str | None = Field(None, min_length=1, description="MQTT: topic, without wildcards.")
    path: str | None = Field(None, description="MQTT: where in the JSON the value is, for example $.axes[2].position.")
    time_path: str | None = Field(None, description="MQTT: where in the JSON its time is; none: when the message came.")
    time_unit: Literal["iso", "s", "ms"] = Field("iso", description="MQTT: how the time is told; s and ms since 1970.")
    column: str | None = Field(None, min_length=1, description="CSV: name of the column.")
    scale: float = Field(1.0, ge=-1e9, le=1e9, description="Multiplies the plant's number.")
    offset: float = Field(0.0, ge=-1e9, le=1e9, description="Is added after scale, in unit.")
    unit: str | None = Field(None, description="Unit after scale and offset; default: the twin's own (rad, m, m/s, 1).")
    true_when: tuple[bool | int | str, ...] | None = Field(
        None, min_length=1, description="Truth values: what of the plant's values counts as true; default: true, and 1."
    )
    dead_time_ms: float = Field(
        0.0, ge=0, le=60_000, description="How much older the value is than its time says, in ms: filters, fieldbus, cycle."
    )
    stale_after_s: float = Field(1.0, ge=0.05, le=86_400, description="Age beyond which the value is stale, in s.")
    stale_by: StaleBy = Field(
        "source_time",
        description="source_time: a value grows old with its own time. connection: a value that has not changed is as new as "
        "the last word of its server; for nodes whose server keeps the time of the last change.",
    )
    write_back: WriteBack | None = Field(None, description="Write the twin's advice to the node instead of reading it.")

    @model_validator(mode="after")
    def _numbers_are_usable(self) -> Entry:
        if self.scale == 0.0:
            raise ValueError("scale 0 would make every value the same; leave it away for 1")
        if self.node is not None and NODE_ID.fullmatch(self.node) is None:
            raise ValueError(f"node {self.node!r} is no node id; ns=2;s=Robot/A3, nsu=urn:robot;s=A3 and ns=4;i=6021 are some")
        for text in (self.path, self.time_path):
            if text is not None:
                parse_json_path(text)
        if self.topic is not None and any(c in self.topic for c in "+#\0"):
            raise ValueError(f"topic {self.topic!r} holds a wildcard; a variable comes from one topic")
        return self


class Asset(_Model):
    """What becomes of one asset."""

    when_stale: WhenStale = Field(description="simulate: the twin goes on by itself. stand: it stays where it was seen last.")


class Mapping(_Model):
    """A mapping file."""

    version: Literal[1] = Field(description="Version of this format: 1.")
    sources: dict[str, Source] = Field(min_length=1, description="Where values come from, by names of your own.")
    variables: tuple[Entry, ...] = Field(description="Variables of the twin.")
    when_stale: WhenStale = Field("simulate", description="What becomes of an asset whose values are stale.")
    assets: dict[str, Asset] = Field({}, description="Single assets that differ from when_stale.")
    max_waiting: int = Field(
        10_000, ge=100, le=1_000_000, description="Values kept until the twin takes them; older ones go first."
    )

    @field_validator("variables")
    @classmethod
    def _not_too_many(cls, value: tuple[Entry, ...]) -> tuple[Entry, ...]:
        if len(value) > 10_000:
            raise ValueError(f"{len(value)} variables; 10000 are taken at most")
        return value

    def when_stale_of(self, asset: str) -> WhenStale:
        """Tell what becomes of an asset whose values are stale."""
        return self.assets[asset].when_stale if asset in self.assets else self.when_stale
