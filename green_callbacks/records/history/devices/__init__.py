"""What each device did in the rows of a history."""
