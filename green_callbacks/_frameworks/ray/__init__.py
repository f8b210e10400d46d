"""The body of the parts for Ray Tune: a budget of a whole search, and the accountant of a trial."""
