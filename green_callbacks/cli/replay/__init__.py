"""``green-callbacks replay``, which tries stopping rules on finished runs."""
