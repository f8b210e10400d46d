"""What is known ahead of a run, by its user and by its framework."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Final

from green_callbacks.accountant.notices import Notices
from green_callbacks.policies import Policy, waits_for_schedule
from green_callbacks.records import Plan

_OF_SCHEDULES: Final = {"learning_rate_drops", "anneals"}
"""The fields in which a user says what a learning-rate schedule will do."""


def known_plan(users: Plan, frameworks: Plan, policies: Sequence[Policy], notices: Notices) -> Plan:
    """Return what the user and the framework know ahead, and warn of what a policy misses in it.

    Args:
        users: What the user said.
        frameworks: What the framework knows.
        policies: The policies of the run.
        notices: Receives what is missing.
    """
    known = merged(users, frameworks)
    _say_unreadable(known, policies, notices)
    return known


def merged(users: Plan, frameworks: Plan) -> Plan:
    """Let what the user said go before what the framework knows.

    Args:
        users: What the user said.
        frameworks: What the framework knows.
    """
    said = {f.name: getattr(users, f.name) for f in fields(Plan) if getattr(users, f.name) != f.default}
    if not _OF_SCHEDULES.isdisjoint(said):  # so there is nothing left to read
        frameworks = replace(frameworks, schedule_unreadable=False)
    return replace(frameworks, **said)


def _say_unreadable(plan: Plan, policies: Sequence[Policy], notices: Notices) -> None:
    """Say that a rule does not wait for a learning-rate schedule, where it would and cannot.

    Args:
        plan: What is known ahead.
        policies: The policies of the run.
        notices: What is said to the user.
    """
    if not plan.schedule_unreadable:
        return
    waiting = [type(policy).__name__ for policy in policies if waits_for_schedule(policy)]
    if waiting:
        notices.say(
            "learning-rate schedule",
            "The learning-rate schedule cannot be read ahead. %s does not wait for its drops, and may stop before one. "
            "If there are some, say so: plan=Plan(learning_rate_drops=(30, 60)), or plan=Plan(anneals=True).",
            waiting[0],
        )
