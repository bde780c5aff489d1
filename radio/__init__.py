"""Paths, bodies, links, packets and policies of a hall."""
