"""AMD GPUs, by the energy counter of the driver, or by sampled power where no counter can be trusted."""
