"""The plan of a run, merged from its user and its framework."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Final

from green_callbacks.accountant.notices import Notices
from green_callbacks.policies import Policy, waits_for_schedule
from green_callbacks.records import Plan

_OF_SCHEDULES: Final = {"learning_rate_drops", "anneals"}
"""The fields that describe a learning-rate schedule."""


def known_plan(users: Plan, frameworks: Plan, policies: Sequence[Policy], notices: Notices) -> Plan:
    """Return the merged plan, and warn if a policy needs a schedule that cannot be read.

    Args:
        users: The plan of the user.
        frameworks: The plan of the framework.
        policies: The policies of the run.
        notices: Receives the warning.
    """
    known = merged(users, frameworks)
    _say_unreadable(known, policies, notices)
    return known


def merged(users: Plan, frameworks: Plan) -> Plan:
    """Return the plan of the framework, with the fields of the user's plan in their place.

    Args:
        users: The plan of the user.
        frameworks: The plan of the framework.
    """
    said = {f.name: getattr(users, f.name) for f in fields(Plan) if getattr(users, f.name) != f.default}
    if not _OF_SCHEDULES.isdisjoint(said):  # so there is nothing left to read
        frameworks = replace(frameworks, schedule_unreadable=False)
    return replace(frameworks, **said)


def _say_unreadable(plan: Plan, policies: Sequence[Policy], notices: Notices) -> None:
    """Warn if a policy would wait for a learning-rate schedule that cannot be read.

    Args:
        plan: The plan.
        policies: The policies of the run.
        notices: Receives the warning.
    """
    if not plan.schedule_unreadable:
        return
    waiting = [type(policy).__name__ for policy in policies if waits_for_schedule(policy)]
    if waiting:
        notices.say(
            "learning-rate schedule",
            "The learning-rate schedule cannot be read ahead. %s does not wait for its drops, and may stop before one. "
            "If it has drops, pass plan=Plan(learning_rate_drops=(30, 60)), or plan=Plan(anneals=True).",
            waiting[0],
        )
