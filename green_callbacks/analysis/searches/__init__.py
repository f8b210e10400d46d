"""Searches of many trials, and what became of their kilograms."""
