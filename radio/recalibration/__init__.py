"""Recalibration by what devices measure: offsets of TRPs, their faults, places and boxes of the hall that changed."""
