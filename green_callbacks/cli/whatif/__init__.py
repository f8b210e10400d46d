"""``green-callbacks whatif``, which compares a run with the same run in other places, years and facilities."""
