"""Paths between antennas: hall, materials, reflections, what is visible, statistical halls and the remainder."""
