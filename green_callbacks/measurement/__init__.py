"""Measurement of devices, each once, for one run or for several runs of the same process."""
