"""What each framework can do with this package, in the words of README's table. The contract tests each cell."""

from typing import Final, NamedTuple

AT_ONCE: Final = "after the step"
SOON: Final = "within seconds"
ONE_RUN: Final = "one run"


class Abilities(NamedTuple):
    """One row of the table.

    Attributes:
        budget: When a budget that is spent inside an epoch stops training.
        rules: Where every policy can decide inside an epoch.
        landing: Whether learning rates can be scaled.
        resume: What carries the account into another process.
        ranks: What several processes of one training are.
        exception: When a training that fails is recorded.
    """

    budget: str
    rules: str
    landing: str
    resume: str
    ranks: str
    exception: str


_LIGHTNING: Final = Abilities(AT_ONCE, "`decide_every=`", "yes", "checkpoint", ONE_RUN, "at once")

ABILITIES: Final = {
    "lightning": _LIGHTNING,
    "pytorch_lightning": _LIGHTNING,
    "transformers": Abilities(AT_ONCE, "`decide_every=`, and evaluations by steps", "yes", "checkpoint", ONE_RUN, SOON),
    "keras": Abilities(SOON, "`decide_every=`", "yes", "`ledger=`", "one process, several devices", SOON),
    "ignite": Abilities(AT_ONCE, "`decide_every=`", "yes", "checkpoint", ONE_RUN, SOON),
    "loop": Abilities(
        f"{AT_ONCE}, with `accountant.steps()`",
        "`decide_every=`",
        "yes",
        "`ledger=` or `state_dict()`",
        ONE_RUN,
        "at once",
    ),
}
"""The rows by the names of the drivers."""

HEADINGS: Final = (
    "a spent budget stops",
    "all rules inside epochs",
    "landing",
    "resumes from",
    "several processes",
    "a failure is recorded",
)
"""The headings of the columns."""

TITLES: Final = {
    "Lightning": ("lightning", "pytorch_lightning"),
    "Hugging Face": ("transformers",),
    "Keras 3": ("keras",),
    "Ignite": ("ignite",),
    "your loop": ("loop",),
}
"""The rows of README's table, and the drivers that stand for each."""


def table() -> str:
    """Return the table as Markdown."""
    lines = [("", *HEADINGS), ("---",) * (len(HEADINGS) + 1)]
    lines += [(title, *ABILITIES[drivers[0]]) for title, drivers in TITLES.items()]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)
