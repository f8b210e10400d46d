"""What a run says of its landing."""

from typing import Final

from green_callbacks.accountant.landing.course import Course
from green_callbacks.policies.landing import over_words
from green_callbacks.records import History, Landing, Verdict
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_BEGINS: Final = "Landing %s epoch %s. %s The learning rate goes to zero %s, then training stops."
_GOES_ON: Final = (
    "The landing of this run goes on. The learning rate goes to zero %s, then training stops. To train on instead, "
    "resume from an earlier checkpoint."
)
_GOES_FURTHER: Final = "Epochs had fewer steps than before, so the landing goes on. The learning rate goes to zero %s."
_PLAN_MORE: Final = "Plan more epochs, or a shorter landing."
_GO_THROUGH: Final = "Go through accountant.steps(batches), so that a landing can end inside an epoch."
_IS_SHORTENED: Final = "The landing is shortened to stay within the budget. The learning rate goes to zero %s."


def say_begun(landing: Landing, history: History, open_epoch: int | None) -> None:
    """Log that a landing begins.

    Args:
        landing: The landing.
        history: All records so far.
        open_epoch: Index of the epoch that is open, or of the last one. None before the first.
    """
    where = "after" if open_epoch is None or history.last_epoch == landing.epoch else "in"
    logger.warning(_BEGINS, where, landing.epoch, landing.reason, over_words(landing, history))


def say_resumed(landing: Landing, course: Course) -> None:
    """Log that a landing of an earlier process goes on.

    Args:
        landing: The landing.
        course: The number of steps so far.
    """
    logger.warning(_GOES_ON, _until(landing, course))


def say_shortened(landing: Landing, history: History) -> None:
    """Log that a shorter landing replaces a landing.

    Args:
        landing: The shorter landing.
        history: All records so far.
    """
    logger.warning(_IS_SHORTENED, over_words(landing, history))


def say_further(landing: Landing, course: Course) -> None:
    """Log that a landing goes on after its last epoch, until its last step.

    Args:
        landing: The landing.
        course: The number of steps so far.
    """
    logger.warning(_GOES_FURTHER, _until(landing, course))


def state_of(landing: Landing, course: Course) -> Verdict:
    """Return the state of a landing for a record.

    Args:
        landing: The landing, which may be about to begin.
        course: The landing that has begun, and the number of steps so far.
    """
    left = course.left  # 1 where the landing is about to begin
    reason = "The landing is over." if left <= 0 else f"The learning rate goes to zero {_until(landing, course)}."
    return Verdict(stop=False, code="landing", reason=reason, values={"green/landing": left})


def stop_reason(landing: Landing, course: Course) -> str:
    """Return why the run stops at the end of a landing, as sentences.

    Args:
        landing: The landing.
        course: The number of steps so far.
    """
    if not course.is_down:
        return (
            f"{landing.reason} The landing left {100 * course.left:.0f} % of the learning rate, "
            f"because epochs had fewer steps than before. {_PLAN_MORE if course.is_exact else _GO_THROUGH}"
        )
    return f"{landing.reason} The learning rate went to zero before the stop."


def _until(landing: Landing, course: Course) -> str:
    if landing.last_epoch is not None:
        return f"until the end of epoch {landing.last_epoch}"
    steps = max(landing.end - (course.step or 0), 1)
    return "over the next step" if steps == 1 else f"over the next {steps} steps"
