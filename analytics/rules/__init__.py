"""Rules: what is watched, from when it is an alert, and what is said about it."""
