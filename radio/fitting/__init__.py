"""Calibration: powers, antennas and materials fitted to measured RSRP."""
