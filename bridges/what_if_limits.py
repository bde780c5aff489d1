"""Limits of a what-if, the same for whoever asks: the page, OPC UA and the twin's own jobs."""

from __future__ import annotations

__all__ = ["CHANGES_MOST", "CHANGE_CHARS", "SECONDS", "SEEDS", "TOTAL_S"]

SECONDS = (1.0, 600.0)
"""Twin time of every future [s]."""
SEEDS = (1, 16)
"""Pairs of futures."""
TOTAL_S = 3600.0
"""Twin time of all futures of a job together, two of each pair [s]: about ten minutes of a core in the default scenario."""
CHANGES_MOST, CHANGE_CHARS = 20, 500
"""Changes of a job, and characters of each."""
