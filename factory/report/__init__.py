"""The report of a run: one HTML page that needs nothing but itself, made from the run folder alone."""

from __future__ import annotations

from factory.report.build import build_report

__all__ = ["build_report"]
