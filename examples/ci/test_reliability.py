"""The same check as a test, for projects that run pytest anyway; the fixture ``kpi_gate`` comes with factory-twin."""


def test_the_hall_is_as_reliable_as_before(kpi_gate):
    """Runs the baseline's seeds on all cores and fails with what has got worse."""
    kpi_gate("ci", "baseline.json")
