"""What each device did in the rows of a history, and what each unit of work took."""
