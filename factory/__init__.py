"""The twin: composes the rooms, keeps time, records, reports."""
