"""The words: channels, devices, stations, frames, time and windows, configuration types, errors."""
