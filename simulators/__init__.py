"""Device models, scenarios, replay of recorded data, publisher."""
