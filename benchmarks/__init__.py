"""Beside peers, and speed: what tests do not measure. Each module runs by `python -m benchmarks.NAME`."""
