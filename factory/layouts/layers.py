"""What the layers of a drawing mean: the YAML file that goes with a DXF import."""

from __future__ import annotations

import fnmatch
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from factory.layouts.report import LayoutError
from factory.layouts.source import line_of, read_yaml
from radio.propagation.materials import MATERIALS

Meaning = Literal["wall", "rack", "machine", "cell", "office", "zone", "lane", "pick", "drop", "charge", "park", "station"]
Size = Annotated[float, Field(gt=0, le=500)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class LayerConfig(_Model):
    """What the entities of a layer are."""

    meaning: Meaning = Field(
        alias="as",
        description="wall, rack, machine, cell, office (boxes), zone, lane, pick, drop, charge, park (on lanes), station.",
    )
    height_m: Size | None = Field(None, description="Height of its boxes in m.")
    thickness_m: Annotated[float, Field(gt=0, le=5)] = Field(0.2, description="Thickness of boxes drawn as lines in m.")
    material: str | None = Field(None, description="Material of its boxes, a row of ITU-R P.2040.")
    two_way: bool = Field(True, description="Lanes: driven in both directions; false: in the direction they are drawn.")
    max_speed_mps: float | None = Field(None, gt=0, le=5, description="Lanes: speed limit in m/s.")

    @field_validator("material")
    @classmethod
    def _is_known(cls, material: str | None) -> str | None:
        if material is not None and material not in MATERIALS:
            raise ValueError(f"material {material!r} is unknown; known: {', '.join(sorted(MATERIALS))}")
        return material


class LayersConfig(_Model):
    """The whole file."""

    units: Literal["m", "mm", "cm", "in", "ft"] | None = Field(
        None, description="Unit of the drawing where its header does not say, or says it wrong."
    )
    snap_m: float = Field(0.05, ge=0, le=1, description="Ends of lanes nearer than this are one node, in m.")
    layers: dict[str, LayerConfig] = Field(min_length=1, description="By name of the layer; * and ? stand for any characters.")
    ignore: tuple[str, ...] = Field((), description="Layers that are known not to matter.")

    def of(self, layer: str) -> LayerConfig | None:
        """Return what a layer means: its own entry, else the first pattern that fits; DXF does not tell cases apart."""
        by_name = {name.lower(): config for name, config in self.layers.items()}
        if layer.lower() in by_name:
            return by_name[layer.lower()]
        return next((c for pattern, c in by_name.items() if fnmatch.fnmatchcase(layer.lower(), pattern)), None)

    def ignores(self, layer: str) -> bool:
        """Tell whether a layer is known not to matter."""
        return any(fnmatch.fnmatchcase(layer.lower(), pattern.lower()) for pattern in self.ignore)


def read_layers(path: Path) -> LayersConfig:
    """Read and check a layers file.

    Raises
    ------
    LayoutError
        With line, key and what would be right.
    """
    root = read_yaml(path)
    if not isinstance(root, dict):
        raise LayoutError(str(path), "", "is no mapping; it has layers, and under each layer's name what it is (as: wall)")
    try:
        return LayersConfig.model_validate(root)
    except ValidationError as error:
        fault = error.errors()[0]
        node, place = root, ""
        for step in fault["loc"]:
            place = line_of(node, step) or place
            try:
                node = node[step]
            except (KeyError, IndexError, TypeError):
                break
        key = ".".join(str(step) for step in fault["loc"])
        raise LayoutError(str(path), f":{place.removeprefix('line ')}" if place else "", f"{key}: {fault['msg']}") from None
