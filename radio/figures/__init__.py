"""Figures of a run: availability, MTBF, tails, energy, transmission points out of service."""
