"""``green-callbacks run``, which measures any command as one record."""
