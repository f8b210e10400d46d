"""The file of a run: its format, its writer and its readers."""
