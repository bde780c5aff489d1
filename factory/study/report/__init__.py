"""The comparison report: one self-contained page, answer first."""

from factory.study.report.build import build_comparison

__all__ = ["build_comparison"]
