"""The words for the landings of replayed rules."""

from collections.abc import Sequence
from typing import Final

from green_callbacks.analysis.replays import ReplayedLanding

AT_LEAST: Final = "at least "
"""Words before a saving that is counted from the end of the epoch in which a landing ends."""
REFUSED: Final = "The loop of this run could not scale its learning rate, so the rule stops without a landing."


def notes(landings: Sequence[ReplayedLanding | None]) -> list[str]:
    """Explain the landings of a table. Empty if there is none.

    Args:
        landings: The landing of each row, or None.
    """
    known = [each for each in landings if each is not None and not each.is_recorded]
    if not known:
        return []
    text = (
        "The number after lands is the number of epochs before a landing. The model at its end is not known, because "
        "the recorded run did not land there. So reached is the best value before the landing."
    )
    ends = "A landing that ends inside an epoch is counted until the end of the epoch, so it saves more."
    return [text, ends] if any(each.ends_inside for each in known) else [text]
