"""Pure numpy kernels: arrays in, arrays out; NaN means missing; no I/O, no clock, no logging."""
