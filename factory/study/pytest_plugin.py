"""pytest plugin (entry point ``pytest11``): the fixture ``kpi_gate`` fails a test where a scenario is worse than its baseline.

::

    def test_the_hall_is_as_reliable_as_before(kpi_gate):
        kpi_gate("ci", "baseline.json")

The twin itself is imported when the fixture is called, so that other tests do not wait for it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from factory.study.gate import Verdict


class KpiGate(Protocol):
    """What the fixture ``kpi_gate`` gives."""

    def __call__(self, scenario: str | os.PathLike[str], baseline: str | os.PathLike[str], **options: Any) -> Verdict:
        """Check a scenario; see `kpi_gate`."""
        ...


@pytest.fixture
def kpi_gate(request: pytest.FixtureRequest) -> KpiGate:
    """Check a scenario against a baseline as ``factory-twin check`` does.

    The call ``kpi_gate(scenario, baseline, **options)`` takes

    - scenario : shipped name or file.
    - baseline : the baseline file; a relative path starts in the folder of the test file.
    - overrides : texts ``key=value``, as ``--set`` takes them.
    - seeds : "24", "3,5,8" or "101-124"; the baseline's own when absent.
    - workers : worker processes; as many as there are processors when absent.
    - across_versions : take a baseline of another version of factory-twin.

    It fails the test where a figure is worse, and where the input is wrong, with the message of the command; otherwise it returns
    the verdict. Before, now, factor and p value of every figure become properties of the test (``--junitxml``).
    """

    def gate(scenario: str | os.PathLike[str], baseline: str | os.PathLike[str], **options: Any) -> Verdict:
        from factory.errors import UserError
        from factory.study import gate_output
        from factory.study.check_command import CheckOptions, again_command, check

        seeds = options.pop("seeds", None)
        asked = CheckOptions(
            overrides=tuple(options.pop("overrides", ())), seeds=None if seeds is None else str(seeds), **options
        )
        try:
            verdict = check(os.fspath(scenario), Path(request.path.parent, baseline), asked)
        except UserError as error:
            pytest.fail(f"wrong input: {error}", pytrace=False)
        # what record_property does, without its warning under junit_family xunit2, which a project may have made an error
        request.node.user_properties.extend(gate_output.properties(verdict).items())
        if verdict.alarms:
            pytest.fail(gate_output.text(verdict, again_command(os.fspath(scenario), asked.overrides, verdict)), pytrace=False)
        return verdict

    return gate
