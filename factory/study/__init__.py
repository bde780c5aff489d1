"""Studies of several variants of a scenario over common seeds: what-if, comparison, regression gate, search."""
