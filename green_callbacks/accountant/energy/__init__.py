"""The energy of a run, from open intervals and their edges to emissions."""
