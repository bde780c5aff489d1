"""Halls on request: a seeded generator of scenarios with aisles, cobot cells, routes, people, TRPs and services."""
