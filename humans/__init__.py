"""People: bodies, gait, gestures, work, recorded tracks and forecasts."""
