"""What a check tells: on the terminal, as Markdown, as JUnit XML, and as annotations of GitHub Actions."""

from __future__ import annotations

import math
from xml.etree import ElementTree as Xml

from factory.explain import CAUSE_WORDS
from factory.study.gate import KpiVerdict, Verdict
from factory.study.gate_statistics import WIDEST_FACTOR

_CAUSES_TOLD = 3


def number(value: float) -> str:
    """Three digits, or a word where there is none."""
    return "none" if math.isnan(value) else f"{value:.3g}"


def factor(value: float) -> str:
    """Tell a factor with two digits; those at the end of what is searched as a bound."""
    if math.isnan(value):
        return "-"
    if value >= 0.99 * WIDEST_FACTOR:
        return f">{WIDEST_FACTOR:.0f}"
    if value <= 1.01 / WIDEST_FACTOR:
        return f"<{1 / WIDEST_FACTOR:g}"
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def interval(kpi: KpiVerdict) -> str:
    """Tell the interval of the factor of getting worse."""
    return "-" if kpi.lacking else f"{factor(kpi.factor[0])} .. {factor(kpi.factor[1])}"


def sentence(kpi: KpiVerdict) -> str:
    """Say in one sentence what became of a figure."""
    unit = f" {kpi.unit}" if kpi.unit else ""
    if kpi.lacking:
        return f"{kpi.label}: {kpi.lacking} runs have no such figure any more (before: {number(kpi.before)}{unit})"
    return (
        f"{kpi.label}: {number(kpi.before)} before, {number(kpi.now)} now{unit} (mean of the seeds); the typical seed is worse "
        f"by a factor of {interval(kpi)} (95 %), {kpi.tolerance:g} is tolerated; p = {kpi.p:.2g} after Holm"
    )


def causes(verdict: Verdict) -> list[str]:
    """Say which causes of lost messages grew, those first that grew most."""
    grown = [(c, a, b) for c, a, b in verdict.causes if b > a][:_CAUSES_TOLD]
    return [f"{CAUSE_WORDS.get(c, c)}: {a:.1f} messages lost per seed before, {b:.1f} now" for c, a, b in grown]


def headline(verdict: Verdict) -> str:
    """Say in one line how the check went."""
    n = len(verdict.alarms)
    if not n:
        return (
            f"{verdict.scenario}: no figure is worse than the baseline by more than is tolerated ({len(verdict.kpis)} looked at)"
        )
    return f"{verdict.scenario}: {n} of {len(verdict.kpis)} figures {'is' if n == 1 else 'are'} worse than the baseline"


def text(verdict: Verdict, again: str) -> str:
    """Tell the whole result in plain text.

    Parameters
    ----------
    verdict : the result.
    again : the command that runs the worst seed; told after an alarm.
    """
    lines = [headline(verdict)]
    for kpi in verdict.kpis:
        lines.append(f"  {'WORSE' if kpi.alarm else 'ok   '} {sentence(kpi)}")
    if verdict.alarms:
        grown = causes(verdict)
        if grown:
            lines.append("Causes that grew: " + "; ".join(grown))
        if again:
            lines.append(f"Look at the worst seed: {again}")
    lines.append(
        f"{verdict.n_now} seeds against {verdict.n_before}; at most {verdict.rate:.0%} of checks of unchanged code alarm."
    )
    return "\n".join(lines)


def markdown(verdict: Verdict, again: str) -> str:
    """Tell the whole result in Markdown, for a job summary or a comment."""
    lines = [f"### {'❌' if verdict.alarms else '✅'} {headline(verdict)}", ""]
    lines += ["| | figure | before | now | worse by (95 %) | tolerated | p (Holm) |", "|---|---|---|---|---|---|---|"]
    for kpi in verdict.kpis:
        unit = f" {kpi.unit}" if kpi.unit else ""
        lines.append(
            f"| {'**worse**' if kpi.alarm else 'ok'} | {kpi.label} | {number(kpi.before)}{unit} | {number(kpi.now)}{unit} | "
            f"{interval(kpi)} | {kpi.tolerance:g} | {kpi.p:.2g} |"
        )
    if verdict.alarms:
        lines += ["", "Causes that grew:", ""] + [f"- {line}" for line in causes(verdict)]
        if again:
            lines += ["", f"Look at the worst seed: `{again}`"]
    lines += ["", f"{verdict.n_now} seeds against {verdict.n_before}, false-alarm rate of a check at most {verdict.rate:.0%}."]
    return "\n".join(lines) + "\n"


def properties(verdict: Verdict) -> dict[str, str]:
    """Return name to value of what a test report keeps: before, now, factor and p of every figure."""
    found = {
        "scenario": verdict.scenario,
        "seeds": str(verdict.n_now),
        "baseline_seeds": str(verdict.n_before),
        "false_alarm_rate": f"{verdict.rate:g}",
    }
    for kpi in verdict.kpis:
        found[f"{kpi.key}.before"] = f"{kpi.before:.6g}"
        found[f"{kpi.key}.now"] = f"{kpi.now:.6g}"
        found[f"{kpi.key}.factor_low"], found[f"{kpi.key}.factor_high"] = (f"{x:.6g}" for x in kpi.factor)
        found[f"{kpi.key}.p"] = f"{kpi.p:.6g}"
    return found


def junit(verdict: Verdict, again: str, seconds: float) -> bytes:
    """Return a JUnit XML file: a test case per figure, values as properties of the suite.

    Parameters
    ----------
    verdict : the result.
    again : the command that runs the worst seed.
    seconds : time that the check took [s].
    """
    failed = len(verdict.alarms)
    name = f"factory-twin check {verdict.scenario}"
    counts = {"tests": str(len(verdict.kpis)), "failures": str(failed), "errors": "0", "skipped": "0", "time": f"{seconds:.1f}"}
    root = Xml.Element("testsuites", {"name": name, **counts})
    suite = Xml.SubElement(root, "testsuite", {"name": name, **counts})
    listed = Xml.SubElement(suite, "properties")
    for key, value in properties(verdict).items():
        Xml.SubElement(listed, "property", {"name": key, "value": value})
    for kpi in verdict.kpis:
        case = Xml.SubElement(suite, "testcase", {"classname": f"factory-twin.{verdict.scenario}", "name": kpi.key, "time": "0"})
        if kpi.alarm:
            failure = Xml.SubElement(case, "failure", {"type": "worse", "message": sentence(kpi)})
            failure.text = text(verdict, again)
    Xml.indent(root, " ")
    out: bytes = Xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return out + b"\n"


def github(verdict: Verdict, baseline_file: str) -> list[str]:
    """Return workflow commands of GitHub Actions: an error per alarm, a notice without one."""
    if not verdict.alarms:
        return [f"::notice title=factory-twin check::{_data(headline(verdict))}"]
    place = _property(baseline_file)
    grown = causes(verdict)
    return [
        f"::error file={place},title={_property('worse: ' + kpi.label)}::"
        + _data("\n".join([sentence(kpi), *(f"grew: {line}" for line in grown)]))
        for kpi in verdict.alarms
    ]


def _data(value: str) -> str:
    """Escape a workflow command's message as GitHub's toolkit does."""
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
