"""``green-callbacks summary``, which writes the summary of a run, or compares the totals of several runs."""
