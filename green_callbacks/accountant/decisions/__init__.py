"""Policies in a run: when they are asked, what they answer, and which of them cannot act."""
