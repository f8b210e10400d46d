"""The accelerators that this process computes on, and why the energy of one is not measured."""
