"""The sub-command ``green-callbacks compare``."""
