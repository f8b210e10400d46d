"""Groups of runs by a label, for the report, as a chart with bands and as a table."""
