"""Which runs of several processes have measured the same device at the same time, so that a sum counts it once."""
