"""A limit that the first side of a comparison must keep, for continuous integration."""

from dataclasses import dataclass, replace
from math import isfinite
from typing import Final, Literal

from green_callbacks.analysis.comparing.equal_quality.censored import log_rank, ways_of
from green_callbacks.analysis.comparing.equal_quality.comparison import Comparison
from green_callbacks.analysis.comparing.equal_quality.ratio import Ratio
from green_callbacks.analysis.comparing.equal_quality.reaching import Quantity
from green_callbacks.analysis.comparing.equal_quality.sentences import main_sentences
from green_callbacks.errors import ConfigurationError
from green_callbacks.text import for_terminal

_PERCENT: Final = 100
"""Percent of a whole."""

Outcome = Literal["within", "beyond", "undecided"]

_STATUS: Final[dict[Outcome, int]] = {"within": 0, "beyond": 1, "undecided": 3}
"""Exit status of each outcome. 2 is that of errors."""

_WORDS: Final[dict[Outcome, str]] = {"within": "passed", "beyond": "failed", "undecided": "is undecided"}


@dataclass(frozen=True, slots=True)
class Gate:
    """What a gate decided.

    Attributes:
        limit: How much more the first side may need. A ratio, for example 0.05 for 5 %.
        outcome: What the runs show.
        status: Exit status of the command.
        line: The outcome with its reason, on one line.
    """

    limit: float
    outcome: Outcome
    status: int
    line: str


def parse_gate(text: str) -> float:
    """Read a limit.

    Args:
        text: For example ``+5 %``, ``-10%`` or ``5``, in percent.

    Returns:
        The limit as a ratio, for example 0.05.

    Raises:
        ConfigurationError: The text is no number above -100, or a small number that may be a ratio.
    """
    number = text.strip().removesuffix("%").strip()
    try:
        percent = float(number.replace(" ", "").replace("\N{MINUS SIGN}", "-"))
    except ValueError:
        percent = float("nan")
    if not isfinite(percent) or percent <= -_PERCENT:
        msg = f'{for_terminal(text)} is no limit of a gate. Write a percentage, such as --gate "+5 %".'
        raise ConfigurationError(msg)
    if 0 < abs(percent) < 1 and not text.strip().endswith("%"):
        both = f"{percent * _PERCENT:g} % or {percent:g} %"
        msg = f"The gate {for_terminal(text)} may be a ratio or a percentage. Write {both}."
        raise ConfigurationError(msg)
    return percent / _PERCENT


def decide(
    comparison: Comparison, quantity: Quantity, limit: float, undecided: Literal["fail", "pass", "estimate"]
) -> Gate:
    """Decide whether the first side keeps a limit.

    The limit is kept if the whole interval is within it, and broken if the whole interval is beyond it. Where a run did
    not reach the quality there is no interval. Then the log-rank test decides, against the costs of the second side
    times the limit. A side that reaches the quality less often never passes.

    Args:
        comparison: The comparison.
        quantity: What the limit is about.
        limit: How much more the first side may need. A ratio, for example 0.05.
        undecided: What happens if the runs cannot decide.
    """
    ratio = comparison.of(quantity).ratio
    outcome = _shown(ratio, 1 + limit) if comparison.all_reached else _by_log_rank(comparison, quantity, 1 + limit)
    why = " ".join([*main_sentences(comparison, quantity), *_unlike(comparison)])
    words = _WORDS[outcome]
    if outcome == "undecided" and undecided != "fail":
        assumed = _assumed(comparison, ratio, 1 + limit, undecided)
        words = f"{words} and counts as {_WORDS[assumed]}" if assumed != "undecided" else words
        return Gate(limit, outcome, _STATUS[assumed], _line(limit, words, why))
    return Gate(limit, outcome, _STATUS[outcome], _line(limit, words, why))


def _shown(ratio: Ratio | None, most: float) -> Outcome:
    if ratio is None or ratio.low is None or ratio.high is None:
        return "undecided"
    return "within" if ratio.high <= most else "beyond" if ratio.low > most else "undecided"


def _by_log_rank(comparison: Comparison, quantity: Quantity, most: float) -> Outcome:
    """Return what is shown where a run did not reach the quality."""
    if comparison.of(quantity).log_rank is None:
        return "undecided"
    first, second = (ways_of(side, quantity) for side in (comparison.first, comparison.second))
    found = log_rank(first, [replace(way, cost=way.cost * most) for way in second])
    if found is None or not found.is_shown:
        return "undecided"
    if not found.is_sooner:
        return "beyond"
    return "undecided" if _reaches_less(comparison) else "within"


def _reaches_less(comparison: Comparison) -> bool:
    """Return whether a smaller share of the first side's runs reaches the quality."""
    first, second = comparison.first, comparison.second
    return len(first.reached) * second.size < len(second.reached) * first.size


def _assumed(comparison: Comparison, ratio: Ratio | None, most: float, undecided: str) -> Outcome:
    """Return what an undecided gate counts as."""
    if not comparison.first.size or not comparison.second.size:
        return "undecided"
    if _reaches_less(comparison):
        return "beyond"
    if undecided == "pass":
        return "within"
    return "undecided" if ratio is None else "within" if ratio.estimate <= most else "beyond"


def _unlike(comparison: Comparison) -> list[str]:
    count = len(comparison.unlike)
    return (
        [f"The notes name {count} other {'thing' if count == 1 else 'things'} to know of the sides."] if count else []
    )


def _line(limit: float, words: str, why: str) -> str:
    return f"The gate of {limit * _PERCENT:+g} % {words}. {why}"
