"""Policies in a run, when they are asked, and which policies cannot act."""
