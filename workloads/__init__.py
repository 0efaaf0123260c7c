"""Jobs, their profiles and schedules, and the agents that run them on emulated hosts."""
