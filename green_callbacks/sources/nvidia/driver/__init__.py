"""NVIDIA's driver. It consists of the Python binding, the calls, and their answers in SI units."""
