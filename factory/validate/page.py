"""The tables as a page: what each is about, what was fitted to what, and what does not agree."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from factory.validate.immerse_figures import DISTRIBUTIONS, SHAPES
from factory.validate.immerse_fit import AGV_RANGES, RANGES
from factory.validate.immerse_model import FITTED, Site
from factory.validate.rows import HEADINGS, Row

CROSSING = "person-crossing.svg"

_HEAD = """# Validation

Written by `factory-twin validate --docs docs/validation.md`; the tests check that it is up to date. Ours are computed by the
functions that a run uses. A reference is a number of a standard, a paper or a measurement, or of a second implementation of a
formula; none is computed by the function that is being checked. Rows marked *reported* stand for information: no bound was set
for them, and they do not count as agreement.
"""

_CROSSING_NOTE = f"""![Loss against time while a person walks through a link]({CROSSING})

The default takes the whole walking body as one silhouette: its two sides light the shadow, so that the loss swings where arms
and legs pass, and falls below 0 dB beside the body where the edge's field adds to the direct one. Model B has no such swings."""

_NOTES: Mapping[str, str] = {
    "One knife edge": """\
The closed form of ITU-R P.526, and the Fresnel integral that it approximates to 0.1 dB.""",
    "Silhouette of a tall screen against two knife edges": """\
A flat upright screen, far higher than the Fresnel zone, leaves only its two edges. Ours is the kernel that a run uses for
every body; the reference is the sum of two edges' fields.""",
    "Silhouette of a body": """\
Another body of twelve capsules, in the same link. Its sizes and pose are not known, so that this says no more
than that both are bodies.""",
    "Silhouette against brute force": """\
Walking people and AGVs in random links. The reference draws every outline point by point, cuts it into thin rows and fades
nothing out; both share the plane on which a body is projected. Deeper shadows than 20 dB are left out: there a small
difference of fields is a large one in dB. These are the errors of `effort: fine`. A run takes `effort: tick`, which walks
round polygons and takes fewer rows: its errors are reported beside them.""",
    "Blockage model B": """\
Equations 7.6-22 to 7.6-29 beside a second implementation.""",
    "InF calibration layout": """\
Halls whose geometry is not known: 18 TRPs and 20 000 UEs with isotropic antennas, no bodies. The second implementation and
Sionna's snapshot are not 3GPP's own curves, which were not at hand.""",
    "IMMERSE: pedestrians, runs held out": """\
A private mmWave network while a person walks through its links, three receivers and two tracks (Haferkamp et al., IEEE
Globecom Workshops 2024; data set tudo-cni/immerse_dataset, CC BY 4.0). The depth is the clear level less the lowest report, in
whole dB. The set does not say how long a sample is. Its changes come in multiples of 9.15 (LTE) and 18.3 samples (mmWave),
so that a sample is taken for 20 ms / 18.3 = 1.09 ms, and durations are given in samples on both sides.

The places of antennas and tracks are not published. Ten numbers were fitted, to every other run of the recordings; this
table compares with the rest. Bodies, gait and diffraction were not fitted, and statures are those of the configuration. The
modem's reports were modelled by what the recordings show: a grid of 18.3 samples, 1 to 8 steps between two reports while
the level is steady and mostly 1 or 2 in a shadow, a noise of 0.4 dB, whole dB, and the last value holds. So the first
report of a shadow comes late and its fall looks more sudden than its rise, as in the recordings.

What does not come out: depths on track 1 spread less than measured, and below -10 dB the twin stays longer there. The walking
speed fitted lies near the upper end of its range; were a sample 1 ms, it would be 1.7 m/s. Another site may fit as well: ten
numbers are more than two tracks can tell apart. The search was refined once after its first result had been compared with the
runs held out, by the same rule and again on the fitted runs alone.""",
    "IMMERSE: AGV, runs held out": """\
The same site. Of the AGV nothing is published; it is taken for one box, whose speed, spread of speed, length and height were
fitted. It does not fit well: measured depths spread three times as much, and the second track's shadows are shorter than one
box on the pedestrians' site can make them. No bound was set.""",
    "IMMERSE: runs fitted to": """\
How close the fit came to what it saw.""",
    "IMMERSE: our reading of the recordings": """\
The recordings at hand are every second run of the set. Our definitions of clear level, depth and durations, beside a
summary of all runs by other code: the two must be near each other for the tables above to mean what they say.
Medians of AGV shadows differ most; the two readings end a shadow differently where a trace returns for a moment.""",
}


def markdown(rows: tuple[Row, ...]) -> str:
    """Return the tables as a page."""
    bound = [row for row in rows if row.rule != "reported"]
    wrong = sum(not row.ok for row in bound)
    lines = [
        _HEAD,
        f"**{len(bound) - wrong} of {len(bound)} rows agree; {len(rows) - len(bound)} more are reported.**",
        "",
        _CROSSING_NOTE,
    ]
    for name, members in groupby(rows, key=lambda row: row.table):
        lines += ["", f"## {name}", ""]
        if name in _NOTES:
            lines += [_NOTES[name], ""]
        if name == "IMMERSE: pedestrians, runs held out":
            lines += [*_site(FITTED), ""]
        lines += [f"| {' | '.join(HEADINGS)} |", "|---|--:|--:|---|--:|---|---|"]
        lines += [f"| {' | '.join(row.cells())} |" for row in members]
        if name == "IMMERSE: pedestrians, runs held out":
            lines += ["", f"![Distributions of depth and time below -5 dB]({DISTRIBUTIONS})", ""]
            lines += [f"![Reported runs and mean shadows]({SHAPES})"]
    return "\n".join(lines) + "\n"


def _site(site: Site) -> list[str]:
    """Fitted numbers and their ranges as a table."""
    lines = ["| fitted | value | range |", "|---|--:|---|"]
    for name, (low, high) in {**RANGES, **AGV_RANGES}.items():
        stem, _, unit = name.rpartition("_")
        unit = {"mps": "m/s", "db": "dB", "deg": "°"}.get(unit, unit)
        words = " ".join(word.upper() if word in ("trp", "ue", "agv") else word for word in stem.split("_"))
        lines.append(f"| {words} | {getattr(site, name):.3g} {unit} | {low:g} to {high:g} |")
    return lines
