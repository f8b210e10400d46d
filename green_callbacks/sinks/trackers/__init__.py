"""Sinks for experiment trackers, which write to the run that the user has open."""
