"""Compares groups of runs at equal quality and at equal energy."""

from green_callbacks.analysis.comparing.compared_run import ComparedRun
from green_callbacks.analysis.comparing.group import Group, metric_of_groups, read_group
from green_callbacks.analysis.comparing.run_conditions import RunConditions
from green_callbacks.analysis.comparing.run_points import RunPoint, RunPoints

__all__ = [
    "ComparedRun",
    "Group",
    "RunConditions",
    "RunPoint",
    "RunPoints",
    "metric_of_groups",
    "read_group",
]
