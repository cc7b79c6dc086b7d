"""Bytes to values and back, without I/O: MQTT packets, payloads, line protocol."""
