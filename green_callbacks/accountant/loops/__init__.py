"""Loops over epochs and batches, how they begin and how they end."""
