"""How long a load can be held, and how much may be lifted, beside published figures."""

from __future__ import annotations

from collections.abc import Iterator

from factory.validate.rows import Row
from humans.fatigue import ENDURANCE_CURVES, MUSCLE_RATES_PER_S, endurance_s
from humans.lifting import lifting_index, recommended_limit_kg
from humans.tasks import LiftConfig

_TOLERANCE = 0.30
_BOUND_LOADS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
_LOADS = (*_BOUND_LOADS, 0.8, 0.9)

# Multipliers of the manual's tables: what differs from a lift for which all are 1, and the table's value.
_MULTIPLIERS: tuple[tuple[str, dict[str, float | str], float], ...] = (
    ("HM, hands 40 cm before the ankles", {"horizontal_m": 0.40}, 0.63),
    ("HM, 63 cm", {"horizontal_m": 0.63}, 0.40),
    ("VM, hands on the floor", {"from_m": 0.0, "to_m": 0.25}, 0.78),
    ("VM, 30 cm up", {"from_m": 0.30, "to_m": 0.50}, 0.87),
    ("VM, 150 cm up", {"from_m": 1.50, "to_m": 1.25}, 0.78),
    ("DM, lifted by 70 cm", {"to_m": 1.45}, 0.88),
    ("AM, turned by 30°", {"asymmetry_deg": 30.0}, 0.90),
    ("AM, 90°", {"asymmetry_deg": 90.0}, 0.71),
    ("FM, 5 lifts a minute, up to 1 h", {"per_min": 5.0}, 0.80),
    ("FM, 5 lifts a minute, up to 8 h", {"per_min": 5.0, "hours": 8.0}, 0.35),
    ("CM, poor grip", {"coupling": "poor"}, 0.90),
)
_PLAIN: dict[str, float | str] = {
    "load_kg": 10.0,
    "horizontal_m": 0.25,
    "from_m": 0.75,
    "to_m": 1.0,
    "hours": 1.0,
    "coupling": "good",
}


def endurance_rows() -> Iterator[Row]:
    """Endurance of sustained loads beside the power curves of a meta-analysis."""
    source = "Frey-Law and Avin 2010, power model"
    for muscle, (scale_s, power) in ENDURANCE_CURVES.items():
        for load in _LOADS:
            published = scale_s * load**power
            ours = endurance_s(load, *MUSCLE_RATES_PER_S[muscle])
            case = f"{muscle}, {load:.0%} of the greatest force"
            yield Row(
                "Endurance",
                case,
                ours,
                published,
                "s",
                _TOLERANCE * published,
                source,
                known=load not in _BOUND_LOADS,
            )


def lifting_rows() -> Iterator[Row]:
    """Return rows on every multiplier of the lifting equation, and on a worked example."""
    source = "NIOSH 94-110, tables 1 to 7"
    for case, change, multiplier in _MULTIPLIERS:
        lift = LiftConfig.model_validate({**_PLAIN, **change})
        yield Row("Lifting equation", case, recommended_limit_kg(lift) / 23.0, multiplier, "1", 0.006, source)
    inch, pound = 0.0254, 0.45359237
    press = LiftConfig.model_validate(
        {**_PLAIN, "load_kg": 44 * pound, "horizontal_m": 23 * inch, "from_m": 15 * inch, "to_m": 63 * inch, "coupling": "fair"}
    )
    # The manual reckons in inches and pounds with every multiplier rounded to two digits, hence 7 %.
    example = "NIOSH 94-110, loading punch press stock"
    yield Row("Lifting equation", "limit where the lift begins", recommended_limit_kg(press), 16.3 * pound, "kg", 0.52, example)
    yield Row(
        "Lifting equation", "limit where it ends", recommended_limit_kg(press, press.to_m), 14.5 * pound, "kg", 0.46, example
    )
    yield Row("Lifting equation", "lifting index", lifting_index(press), 3.0, "1", 0.21, example)
