"""Where packs are measured: each engine takes tasks and gives their outcomes as they come."""
