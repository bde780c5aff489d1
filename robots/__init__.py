"""AGVs, their fleet and right of way, cobots, speed and separation: machines as arrays, without a physics engine or a radio."""
