"""The runs of other processes that measure the same devices."""
