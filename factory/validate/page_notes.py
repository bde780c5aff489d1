"""What is said below the headings of the tables, and which figures stand after them."""

from __future__ import annotations

from collections.abc import Mapping

from factory.validate import beam_figures, beam_measurements, forecast_figures, immerse_figures, motion, motion_figures
from factory.validate.fleet_rows import FIGURE as FLEET_ROUTING
from factory.validate.forecast_rows import NOTES as FORECASTS
from factory.validate.loop_rows import NOTE as LOOP
from factory.validate.loop_rows import TABLE as LOOP_TABLE
from factory.validate.tails_rows import NOTES as TAILS

_OWN: Mapping[str, str] = {
    LOOP_TABLE: LOOP,
    beam_measurements.TABLE: beam_measurements.NOTE,
    "Cobots among people for a shift": """\
The whole twin with Bullet's arms and the radio off (`python -m factory.validate.cobot_soak`), by seeds. The separation is the
smallest distance between the capsules of any person and of the arm; the required one follows from the speed that the arm has at
that moment. A standing arm needs none, and people who pass may brush it: they know of the pedestal, not of the arm.""",
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
    "Endurance": """\
How long a load is held until the muscles give out: the three-compartment model (Xia and Frey-Law 2008), under the rates that a
run uses, beside the power curves of a meta-analysis (Frey-Law and Avin 2010). The bound is 30 % up to 70 % of the greatest
force. Nearer to it the model gives out too early: three of the four holds at 80 and 90 % miss the bound. The
curves' numbers were recalled from the paper, which was not at hand.""",
    "Lifting equation": """\
The revised NIOSH lifting equation: one multiplier at a time beside the manual's tables, and its example of a punch press. The
tables were recalled from the manual (94-110), which was not at hand.""",
    "Forty AGVs for a shift": """\
Eight hours of a grid of one-way streets, 98 m x 59 m with seven charging stations, radio off, steps of 0.1 s, one seed each.
Footprints are the vehicles' rectangles, compared at every step. People cross wherever they like and mostly give way. Kept in
`fleet_soak.json`; again: `python -m factory.validate.fleet_soak --hours 8`.""",
    "Charging": """\
Constant current up to the taper and constant voltage from there, stepped as in a run, beside the closed form.""",
    "Routing that weighs the radio": """\
What a detour around weak aisles costs in orders. A hall of rack aisles with too few transmission points, eight AGVs and nine
people, radio on. The map is a shift of twenty minutes by the fastest ways, the others are twelve minutes each on other seeds.
Down time is the expectation given the channel.
Intervals are Student's t over the paired differences of seeds; with one seed there is
none. More in [agvs.md](agvs.md).""",
}

NOTES: Mapping[str, str] = {**_OWN, **TAILS, **motion.NOTES, **FORECASTS}
"""Table to what it is about: what was fitted to what, and what does not agree."""

FIGURES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "IMMERSE: pedestrians, runs held out": (
        ("Distributions of depth and time below -5 dB", immerse_figures.DISTRIBUTIONS),
        ("Reported runs and mean shadows", immerse_figures.SHAPES),
    ),
    beam_measurements.TABLE: (("Loss that one selection in ten, and one in a hundred, exceeds", beam_figures.FIGURE),),
    "Routing that weighs the radio": (("Minutes of work lost against nines of the control service", FLEET_ROUTING),),
    "Motion of people: distance of distributions": (
        ("Cumulated shares of speed, its changes, turns and stays", motion_figures.DISTRIBUTIONS),
        ("Cumulated shares of distances between people", motion_figures.DISTANCES),
    ),
    "Gait beside a captured walk": (("Joint angles over the gait cycle", motion_figures.GAIT),),
    "Forecast: final displacement error": (("Error over the horizon, scene by scene", forecast_figures.ERRORS),),
    "Forecast: coverage of the calibrated regions": (("Share inside the regions over the horizon", forecast_figures.COVERAGE),),
    "Forecast: expected calibration error of a link's blockage": (
        ("Share of links blocked over the forecast probability", forecast_figures.RELIABILITY),
    ),
}
"""Table to the figures after it: what one sees, and the file."""
