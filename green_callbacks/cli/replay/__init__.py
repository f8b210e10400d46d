"""``green-callbacks replay``: where a rule would have stopped finished runs."""
