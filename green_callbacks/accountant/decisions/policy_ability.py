"""Warnings about policies that cannot act."""

from collections.abc import Sequence
from typing import Final

from green_callbacks.accountant.decisions.decision_interval import DecisionInterval
from green_callbacks.accountant.notices import Notices
from green_callbacks.policies import Budget, Policy, counts_emissions, never_stops, title_of, watched_metric
from green_callbacks.records import EpochRecord, Intensity, Plan
from green_callbacks.records.coverage import UNMEASURED
from green_callbacks.text.amounts import format_duration
from green_callbacks.units import SECONDS_PER_MINUTE

LONG_SECONDS: Final = 30 * SECONDS_PER_MINUTE
"""Duration of a first epoch, in s, above which it may never end."""
NEVER_ASKED: Final = "No epoch came to its end. Give decide_every=… to have policies asked inside epochs."
_LONG_GAP_SECONDS: Final = 10.0
"""Longest time without an answer of a device, in s, that needs no warning."""
_UNCOUNTED_SECONDS: Final = SECONDS_PER_MINUTE
"""Duration of an epoch, in s, after which a step must have been counted. It applies if ``decide_every`` is shorter."""


def say_failed(
    notices: Notices, key: str, policy: Policy, failure: Exception, effect: str = "Training goes on without it."
) -> None:
    """Warn once that a policy has raised.

    Args:
        notices: Receives the warning.
        key: The subject of the warning.
        policy: The policy.
        failure: The exception.
        effect: The consequence, as a sentence. Defaults to that training goes on without the policy.
    """
    notices.say(
        key,
        "%s failed. %s It raised %s: %s",
        title_of(policy),
        effect,
        type(failure).__name__,
        failure,
        cause=failure,
    )


class PolicyAbility:
    """Warns once of each reason that keeps policies from acting, as early as it can be known.

    Args:
        policies: The policies of the run.
        notices: Receives the warnings.
        interval: Interval of decisions inside epochs, or None for none.
    """

    def __init__(self, policies: Sequence[Policy], notices: Notices, interval: DecisionInterval | None) -> None:
        self._notices = notices
        self._interval = interval
        self._policies = tuple(policies)
        self._budgets = [policy for policy in policies if isinstance(policy, Budget)]
        self._counting = [each for each in policies if isinstance(each, Budget) or watched_metric(each)]
        self._of_emissions = [each for each in policies if counts_emissions(each)]
        self._at_ends = [each for each in policies if not (isinstance(each, Budget) or never_stops(each))]
        self._has_ended = False
        self.is_blind = False
        """Whether nothing is measured from the start, which is said once and for all."""

    def at_start(self, plan: Plan, intensity: Intensity, *, is_measured: bool) -> None:
        """Warn of reasons that are known before the first epoch.

        Args:
            plan: The plan.
            intensity: The carbon intensity now.
            is_measured: Whether there is a device to measure.
        """
        self.is_blind = not is_measured
        if is_measured:
            self._notices.withdraw("nothing measured")
        elif self._counting:
            self._notices.say(
                "nothing measured",
                "Nothing is measured in this run, so %s cannot act. `green-callbacks doctor` shows the missing "
                "sensors. Or name a source with sources=[…].",
                _listed(self._counting),
            )
        self._doubt(intensity.g_per_kwh)
        self.replan(plan)

    def replan(self, plan: Plan) -> None:
        """Warn of policies that cannot act under a new plan."""
        is_one = plan.epochs == 1 or (plan.epoch_steps and plan.steps and plan.steps <= plan.epoch_steps)
        if is_one and self.is_unasked:
            self._notices.say(
                "one epoch",
                "No more than one epoch is planned, and %s can only be asked after it. Give decide_every=…, such as "
                "'10 min', to have policies asked inside it.",
                _listed(self._at_ends),
            )

    @property
    def is_unasked(self) -> bool:
        """Whether there are policies that are asked after epochs only, and none has come to its end."""
        return bool(self._at_ends) and self._interval is None and not self._has_ended

    def by_steps_alone(self) -> None:
        """Warn of policies that cannot act in a training that counts steps alone."""
        if self.is_unasked:
            self._notices.say(
                "long epoch",
                "This training goes by steps, so no epoch may ever end. %s can only be asked after an epoch. "
                "Give decide_every=…, such as '500 steps', to have policies asked inside epochs.",
                _listed(self._at_ends),
            )

    def after(self, record: EpochRecord, *, has_counted: bool) -> None:
        """Warn of what a record shows.

        Args:
            record: The last record, of an epoch or a part of one.
            has_counted: Whether steps of the epoch were counted.
        """
        if self._counting and record.duration_seconds > 0 and not self.is_blind:
            self._look_for_gaps(record)
        if record.facility_kwh:
            self._doubt(record.intensity.g_per_kwh)
        if record.complete:
            self._has_ended = True
            if self._interval is not None and not has_counted:
                self._say_uncounted(f"in epoch {record.epoch}")
        else:
            self.in_long_epoch(record.epoch or 0, record.duration_seconds, has_counted=has_counted)

    def unmeasured(self, seconds: float) -> None:
        """Warn that a check inside an epoch found nothing measured."""
        if not self.is_blind:
            self._notices.say(
                "unmeasured",
                "Nothing was measured in the last %s, so %s cannot act. `green-callbacks doctor` shows the missing "
                "sensors.",
                format_duration(seconds),
                _listed(self._budgets),
            )

    def in_long_epoch(self, epoch: int, seconds: float, *, has_counted: bool) -> None:
        """Warn of policies that cannot act while an epoch is long. Called while it goes on.

        Args:
            epoch: Its index.
            seconds: How long it has taken, in s.
            has_counted: Whether steps of it were counted.
        """
        if self._interval is not None:
            if not has_counted and seconds > max(2 * (self._interval.seconds or 0.0), _UNCOUNTED_SECONDS):
                self._say_uncounted(f"in the first {format_duration(seconds)} of epoch {epoch}")
        elif seconds > LONG_SECONDS and self.is_unasked:
            self._notices.say(
                "long epoch",
                "Epoch %d has taken %s so far, and %s can only be asked after it. Give decide_every=…, such as "
                "'10 min', to have policies asked inside epochs.",
                epoch,
                format_duration(seconds),
                _listed(self._at_ends),
            )

    def before(self, epoch: int, *, unended: int | None, stop_reason: str | None) -> None:
        """Warn of calls that a loop of the user's own has left out before an epoch.

        Args:
            epoch: Index of the epoch that begins.
            unended: Index of the epoch that is still open, or None if none is.
            stop_reason: Why the run was to stop, or None if it was not.
        """
        if unended is not None and unended != epoch:  # one that is begun again was broken off
            self._notices.say(
                "unended",
                "Epoch %d had not been ended when epoch %d began, so it counts as incomplete. Call end_epoch() after "
                "each, or loop over accountant.epochs(n), which does.",
                unended,
                epoch,
            )
        if stop_reason is not None:
            self._notices.say(
                "goes on",
                "Epoch %d begins although the run was to stop. %s Leave the loop when accountant.stop_reason is not "
                "None, or loop over accountant.epochs(n), which ends by itself.",
                epoch,
                stop_reason,
            )

    def without_epochs(self, why: str = "") -> None:
        """Warn that the run trains without any epoch, so that no policy is asked.

        Args:
            why: The evidence, as a sentence that ends in a space. Defaults to nothing.
        """
        if self._policies:
            self._notices.say(
                "no epoch",
                "%sNo epoch has begun in this run, so %s cannot act. Loop over accountant.epochs(n), or call "
                "begin_epoch() and end_epoch() around each.",
                why,
                _listed(self._policies),
            )

    def _look_for_gaps(self, record: EpochRecord) -> None:
        silent = _silent_devices(record)
        if record.facility_kwh is None:
            self._notices.say(
                "unmeasured",
                "The energy of epoch %s was not measured, so %s cannot count it. `green-callbacks doctor` shows the "
                "missing sensors.",
                record.epoch,
                _listed(self._counting),
            )
        elif not record.facility_kwh and record.duration_seconds > _LONG_GAP_SECONDS:
            self._notices.say(
                "no energy",
                "No energy at all was measured in epoch %s, where the sensors show 0 W, so %s cannot act. "
                "`green-callbacks doctor` shows the sensors.",
                record.epoch,
                _listed(self._counting),
            )
        elif silent:
            self._notices.say(
                "partly unmeasured",
                "%s was not measured for most of epoch %s, so %s counts less than was used. `green-callbacks doctor` "
                "shows the missing sensors.",
                ", ".join(silent),
                record.epoch,
                _listed(self._counting),
            )

    def _doubt(self, g_per_kwh: float) -> None:
        """Warn of policies that count emissions while the carbon intensity is 0."""
        if g_per_kwh > 0:
            self._notices.withdraw("no emissions")
        elif self._of_emissions:
            self._notices.say(
                "no emissions",
                "The carbon intensity is 0 gCO2e/kWh, so %s cannot act, whatever is used. Write it in kWh, or give "
                "another location=… or carbon_intensity=….",
                _listed(self._of_emissions),
            )

    def _say_uncounted(self, where: str) -> None:
        self._notices.say(
            "uncounted",
            "No step was counted %s, so decide_every=… has no effect and policies are asked after epochs only. "
            "Go through accountant.steps(batches), or call end_step() after each step and end_part() when it says so.",
            where,
        )


def _silent_devices(record: EpochRecord) -> list[str]:
    """Return the devices that did not answer for most of a record."""
    most_seconds = max(record.duration_seconds / 2, _LONG_GAP_SECONDS)
    return [
        name
        for name, device in record.devices.items()
        if UNMEASURED not in device.flags and (device.joules is None or device.gap_seconds > most_seconds)
    ]


def _listed(policies: Sequence[Policy]) -> str:
    names = [title_of(policy) for policy in policies]
    names = [names[0], *(name.replace("The policy", "the policy") for name in names[1:])]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
