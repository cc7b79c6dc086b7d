"""The MQTT session, decoding at the edge, dead letters."""
