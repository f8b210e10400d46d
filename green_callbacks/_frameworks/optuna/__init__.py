"""Joins Optuna's studies to budgets, and gives them a pruner whose resource is emissions."""
