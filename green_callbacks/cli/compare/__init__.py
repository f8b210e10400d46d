"""``green-callbacks compare``, which compares groups of runs at equal quality."""
