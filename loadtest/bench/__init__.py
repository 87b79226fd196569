"""Benchmarks: both sides of a comparison in one run, repeated in changing order, medians with their spread."""
