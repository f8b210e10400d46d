"""NVIDIA's driver: its Python binding, the calls to it, and their answers in SI units."""
