"""NVIDIA GPUs: the energy counter of the driver, or sampled power where there is no counter to be trusted."""
