"""Calibrate the radio of a scenario to a log of measured RSRP, and take the result over.

result = calibrate_scenario(load_scenario("hall.yaml"), Path("walk.csv"))
changed = load_scenario("hall.yaml", fragment_overrides(loaded.scenario, result.fragment()))
"""

from __future__ import annotations

import io
import json as json_module
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from factory.errors import UserError
from factory.rooms import radio_hall
from factory.scenario import LoadedScenario, Scenario, load_scenario
from radio.fitting.calibration import CalibrationSettings, calibrate
from radio.fitting.calibration_csv import read_log
from radio.fitting.calibration_result import CalibrationResult
from radio.fitting.calibration_words import report_text


def calibrate_command(scenario: str, csv: Path, out: Path | None = None, json: Path | None = None) -> int:
    """Fit a scenario's radio to a log, print what was found, and write the fragment that takes it over.

    Parameters
    ----------
    scenario : shipped name or file of the scenario.
    csv : the log, see ``radio.fitting.calibration_csv``.
    out : file for the fragment (YAML); printed when absent.
    json : file for every number of the result.

    Returns
    -------
    int
        0; 1 where rows that the fit did not see got worse, so that the result should not be taken over.

    Raises
    ------
    UserError
        If the scenario or the log cannot be used, or a file cannot be written.
    """
    loaded = load_scenario(scenario)
    result = calibrate_scenario(loaded, csv)
    print(report_text(result))
    text = fragment_text(result, csv.name)
    if out is None:
        print(text)
    else:
        _write(out, text)
        print(f"Fragment: {out}")
    if json is not None:
        _write(json, json_module.dumps(result_dict(result), indent=1) + "\n")
        print(f"Numbers: {json}")
    held_out = result.held_out
    return int(held_out is not None and held_out.after.rmse_db > held_out.before.rmse_db)


def calibrate_scenario(loaded: LoadedScenario, csv: Path, settings: CalibrationSettings | None = None) -> CalibrationResult:
    """Fit a loaded scenario's radio to the log in a file; a fault in either is a UserError naming file and line."""
    hall = radio_hall(loaded.scenario.hall)
    try:
        with csv.open(encoding="utf-8-sig", newline="") as lines:
            log = read_log(lines, loaded.scenario.radio, hall)
        return calibrate(loaded.scenario.radio, hall, log, settings)
    except FileNotFoundError:
        raise UserError(f"{csv}: no such file; wanted a CSV log of RSRP") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{csv}: not UTF-8 text (byte {error.start}); a log is a CSV file") from None
    except OSError as error:
        raise UserError(f"{csv}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UserError(f"{csv}: {error}") from error


def fragment_text(result: CalibrationResult, source: str) -> str:
    """Fragment as YAML, with the 95 % intervals and whatever was not identified as comments."""
    lines = [f"# Calibration of the radio to {source}; 95 % intervals:"]
    for e in result.estimates:
        name = e.parameter.name
        if e.used:
            lines.append(f"#   {name}: {e.value:.4g} ({e.low:.4g} to {e.high:.4g})" + (f"; {e.reason}" if e.reason else ""))
        else:
            lines.append(f"#   {name}: as it was; {e.reason}")
    lines += [f"# WARNING: {w}" for w in result.warnings]
    yaml, stream = YAML(), io.StringIO()
    yaml.width = 1000
    yaml.dump(result.fragment(), stream)
    return "\n".join(lines) + "\n" + stream.getvalue()


def read_fragment(path: Path) -> dict[str, Any]:
    """Read a fragment that ``fragment_text`` wrote."""
    try:
        found = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except (YAMLError, UnicodeDecodeError):
        raise UserError(f"{path}: not a YAML file; wanted a fragment of a scenario that begins with radio:") from None
    if not isinstance(found, dict) or not isinstance(found.get("radio"), dict):
        raise UserError(f"{path}: wanted a fragment of a scenario that begins with radio:")
    return found


def fragment_overrides(scenario: Scenario, fragment: Mapping[str, Any]) -> list[str]:
    """Return overrides ``key=value`` that lay a fragment over a scenario: TRPs and materials go by name.

    Parameters
    ----------
    scenario : the scenario that takes the fragment.
    fragment : as ``CalibrationResult.fragment`` gives it.

    Returns
    -------
    list of str
        For ``factory.scenario.load_scenario``; each TRP's keys one by one, so that an error names the key at fault.

    Raises
    ------
    UserError
        If the fragment names a TRP that the scenario does not have.
    """
    radio = dict(fragment.get("radio", {}))
    names = [t.name for t in scenario.radio.trps]
    overrides: list[str] = []
    for entry in radio.pop("trps", []):
        name = entry.get("name")
        if name not in names:
            raise UserError(f"radio.trps: the fragment has {name!r}, which the scenario does not; it has {', '.join(names)}")
        at = names.index(name)
        overrides += [f"radio.trps[{at}].{key}={_yaml(value)}" for key, value in entry.items() if key != "name"]
    if "materials" in radio:
        merged = {m.name: m.model_dump() for m in scenario.radio.materials}
        merged.update({m["name"]: dict(m) for m in radio.pop("materials")})
        overrides.append(f"radio.materials={_yaml(list(merged.values()))}")
    for section, value in radio.items():
        if isinstance(value, Mapping):
            overrides += [f"radio.{section}.{key}={_yaml(inner)}" for key, inner in value.items()]
        else:
            overrides.append(f"radio.{section}={_yaml(value)}")
    return overrides


def result_dict(result: CalibrationResult) -> dict[str, Any]:
    """Every number of a result under its own name, as JSON takes it; NaN becomes null."""
    plain = asdict(result)
    plain["covariance"] = result.covariance.tolist()
    plain["effective_rows"] = result.effective_rows.tolist()
    plain["fragment"] = result.fragment()
    cleaned: dict[str, Any] = _finite(plain)
    return cleaned


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _yaml(value: Any) -> str:
    """Value in YAML's flow style; JSON is a subset of it."""
    return json_module.dumps(value)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None
