"""Devices that are measured once, for one run or for several of the same process."""
