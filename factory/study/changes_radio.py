"""Changes of the radio: transmission points moved, added, removed, tilted, louder, out of service; policy and carrier."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from factory.study.changes import Change, ChangeError, Draft, change
from radio.config import PolicyName

Point = tuple[float, float, float]
Name = Annotated[str, Field(min_length=1, description="Name of the TRP; * and ? stand for anything.")]
Azimuth = Annotated[float | None, Field(ge=-360, le=360, description="New boresight, degrees counter-clockwise from +x.")]
Downtilt = Annotated[float | None, Field(ge=-90, le=90, description="New boresight below the horizon in degrees.")]


@change("move_trp")
class MoveTrp(Change):
    """A TRP hangs elsewhere."""

    name: Name
    to_m: Point | None = Field(None, description="New place in the hall frame in m.")
    by_m: Point | None = Field(None, description="Way from the old place in m.")
    azimuth_deg: Azimuth = None
    downtilt_deg: Downtilt = None

    @model_validator(mode="after")
    def _one_way(self) -> MoveTrp:
        if (self.to_m is None) == (self.by_m is None):
            raise ValueError("give to_m (the new place) or by_m (the way from the old one)")
        return self

    def apply(self, draft: Draft) -> None:
        """Write the new place."""
        for trp in draft.named("TRP", self.name, "radio", "trps"):
            old = [float(v) for v in trp["position_m"]]
            trp["position_m"] = (
                list(self.to_m) if self.to_m else [round(a + b, 6) for a, b in zip(old, self.by_m or (), strict=True)]
            )
            _turn(trp, self.azimuth_deg, self.downtilt_deg)


@change("tilt_trp")
class TiltTrp(Change):
    """A TRP looks elsewhere."""

    name: Name
    downtilt_deg: Downtilt = None
    azimuth_deg: Azimuth = None

    @model_validator(mode="after")
    def _some_way(self) -> TiltTrp:
        if self.downtilt_deg is None and self.azimuth_deg is None:
            raise ValueError("give downtilt_deg, azimuth_deg or both")
        return self

    def apply(self, draft: Draft) -> None:
        """Write the new boresight."""
        for trp in draft.named("TRP", self.name, "radio", "trps"):
            _turn(trp, self.azimuth_deg, self.downtilt_deg)


def _turn(trp: dict[str, object], azimuth_deg: float | None, downtilt_deg: float | None) -> None:
    if azimuth_deg is not None:
        trp["azimuth_deg"] = azimuth_deg
    if downtilt_deg is not None:
        trp["downtilt_deg"] = downtilt_deg


@change("trp_power")
class TrpPower(Change):
    """A TRP sends with another power."""

    name: Name = "*"
    to_dbm: float | None = Field(None, ge=-10, le=60, description="New transmit power over the carrier in dBm.")
    by_db: float | None = Field(None, ge=-60, le=60, description="Change of the power in dB; -3 halves it.")

    @model_validator(mode="after")
    def _one_way(self) -> TrpPower:
        if (self.to_dbm is None) == (self.by_db is None):
            raise ValueError("give to_dbm (the new power) or by_db (the change)")
        return self

    def apply(self, draft: Draft) -> None:
        """Write the new power."""
        configured = {t.name: t.tx_power_dbm for t in draft.scenario.radio.trps}
        for trp in draft.named("TRP", self.name, "radio", "trps"):
            trp["tx_power_dbm"] = (
                self.to_dbm if self.to_dbm is not None else round(configured[trp["name"]] + (self.by_db or 0.0), 6)
            )


@change("add_trp")
class AddTrp(Change):
    """A TRP more."""

    name: str = Field(min_length=1, description="Its name.")
    at_m: Point = Field(description="Its place in the hall frame in m.")
    azimuth_deg: Azimuth = None
    downtilt_deg: Downtilt = None
    tx_power_dbm: float | None = Field(None, ge=-10, le=60, description="Its power in dBm.")
    like: str | None = Field(None, description="TRP that it takes everything else from; the first one when absent.")

    def apply(self, draft: Draft) -> None:
        """Append the TRP."""
        trps = draft.entries("radio", "trps")
        if any(t.get("name") == self.name for t in trps):
            raise ChangeError(f"there is a TRP {self.name!r} already; give the new one its own name", "name")
        pattern = trps[0] if self.like is None else draft.named("TRP", self.like, "radio", "trps")[0]
        trp = {**pattern, "name": self.name, "position_m": list(self.at_m)}
        _turn(trp, self.azimuth_deg, self.downtilt_deg)
        if self.tx_power_dbm is not None:
            trp["tx_power_dbm"] = self.tx_power_dbm
        trps.append(trp)


@change("remove_trp")
class RemoveTrp(Change):
    """A TRP less, which the network knows (`fail_trp` is the one that it does not)."""

    name: Name

    def apply(self, draft: Draft) -> None:
        """Take the TRP out, and its outages."""
        gone = {t["name"] for t in draft.named("TRP", self.name, "radio", "trps")}
        radio = draft.mapping("radio")
        radio["trps"] = [t for t in radio["trps"] if t["name"] not in gone]
        if not radio["trps"]:
            raise ChangeError("no TRP would be left; keep one, or take fail_trp for one that is out of service", "name")
        if radio.get("outages"):
            radio["outages"] = [o for o in radio["outages"] if o["trp"] not in gone]


@change("fail_trp")
class FailTrp(Change):
    """A TRP is out of service for a while; the network is not told."""

    name: Name
    from_min: float = Field(0.0, ge=0, le=10_080, description="From this time of the run on in min.")
    to_min: float | None = Field(None, gt=0, le=10_080, description="Until this time in min; absent: to the end of the run.")

    def apply(self, draft: Draft) -> None:
        """Append the outage."""
        outages = draft.entries("radio", "outages")
        for trp in draft.named("TRP", self.name, "radio", "trps"):
            outage = {"trp": trp["name"], "from_s": round(self.from_min * 60, 3)}
            outages.append(outage if self.to_min is None else outage | {"to_s": round(self.to_min * 60, 3)})


@change("policy")
class Policy(Change):
    """Another policy moves the machines."""

    name: PolicyName = Field(description="A policy of docs/policies.md, such as reactive or human_aware.")

    def apply(self, draft: Draft) -> None:
        """Write the policy."""
        draft.mapping("radio")["policy"] = self.name


@change("carrier")
class Carrier(Change):
    """Another carrier for every TRP that names none."""

    frequency_hz: float | None = Field(None, ge=0.5e9, le=150e9, description="Carrier frequency in Hz; 28 GHz is 28e9.")
    bandwidth_hz: float | None = Field(None, ge=5e6, le=2e9, description="Channel bandwidth in Hz; 100 MHz is 100e6.")
    subcarrier_spacing_hz: Literal[15000, 30000, 60000, 120000] | None = Field(None, description="Subcarrier spacing in Hz.")
    resource_blocks: int | None = Field(None, ge=11, le=273, description="PRBs of the channel (TS 38.101 table 5.3.2).")
    tdd_pattern: str | None = Field(None, description="Slots of the TDD pattern, for example DDDSU.")

    @model_validator(mode="after")
    def _something(self) -> Carrier:
        if not self.model_dump(exclude_none=True):
            raise ValueError("give what is to change, for example frequency_hz: 3.7e9")
        return self

    def apply(self, draft: Draft) -> None:
        """Write what is given; the rest stays."""
        draft.mapping("radio", "carrier").update(self.model_dump(exclude_none=True))
