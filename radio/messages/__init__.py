"""From SINR to delivered messages: numerology, block error, traffic, timelines, slices and delivery."""
