"""MQTT 5 and 3.1.1 packets: bytes to values and back, without I/O."""
