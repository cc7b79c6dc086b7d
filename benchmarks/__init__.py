"""Measurements, run by `./dev bench`."""
