"""Physical models of devices: reproducible (generator and time are passed in) and free of I/O."""
