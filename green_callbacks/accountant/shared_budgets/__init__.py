"""Budgets that runs share: what a run tells the registry of a project, and what the policies learn from it."""
