"""Timings of each step."""
