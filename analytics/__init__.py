"""Buckets, key figures, sessions, rules and the engine that runs them over the journal."""
