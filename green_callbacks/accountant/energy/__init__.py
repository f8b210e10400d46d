"""The energy of a run: open intervals, their edges, and their emissions."""
