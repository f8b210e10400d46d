"""The tables of the page on what pays, in Markdown, and the sentences that hold figures."""

from collections.abc import Iterable, Iterator

from what_pays import names
from what_pays.names import FASTER, FEWER, METHODS, SETS, SWEPT
from what_pays.results import Gain, Reached, Results


def print_tables(results: Results) -> None:
    """Print all tables.

    Args:
        results: What all runs reached.
    """
    for table in tables(results):
        print("\n" + "\n".join(table))


def tables(results: Results) -> Iterator[list[str]]:
    """Make all tables.

    Args:
        results: What all runs reached.

    Yields:
        The lines of a table.
    """
    yield _at_one_rate(results, names.LOW)
    yield _at_one_rate(results, names.TUNED)
    yield _at_their_best_rates(results)
    yield _weights(results)


def _at_one_rate(results: Results, rate: float) -> list[str]:
    rows = [[method, *(str(results.at(name, rate, method) or "not run") for name in SETS)] for method in METHODS]
    return _table([f"accuracy in %, {_rate(rate)}", *SETS], rows)


def _rate(factor: float) -> str:
    return "low rate" if factor == names.LOW else f"{factor:g} times"


def _at_their_best_rates(results: Results) -> list[str]:
    rows = [[method, *(_best(results, name, method) for name in SETS)] for method in SWEPT]
    above = [
        f"{names.HARD}, above {FEWER}",
        *(str(_at_best(results, name, names.HARD).minus(_at_best(results, name, FEWER))) for name in SETS),
    ]
    return _table(["accuracy in %, each at its best rate", *SETS], [*rows, above])


def _best(results: Results, name: str, method: str) -> str:
    return f"{_at_best(results, name, method)} ({results.best_rate(name, method):g} times)"


def _at_best(results: Results, name: str, method: str) -> Reached:
    return results.groups[name, results.best_rate(name, method), method].first(names.FEW)


def _weights(results: Results) -> list[str]:
    places = [(name, rate) for name in SETS for rate in (names.LOW, names.TUNED)]
    pairs = {
        "1.5 times the rate": (FASTER, FEWER),
        names.INFOBATCH: (names.INFOBATCH, FEWER),
        "mean weight 1": (names.MEAN_1, FEWER),
        "InfoBatch above 1.5 times": (names.INFOBATCH, FASTER),
    }
    rows = [
        [f"{name}, {_rate(rate)}", *(str(_gain(results, name, rate, *pair)) for pair in pairs.values())]
        for name, rate in (*places, (names.ADAM, names.LOW))
    ]
    return _table(["points above fewer epochs", *pairs], rows)


def _gain(results: Results, name: str, rate: float, one: str, two: str) -> Gain:
    return results.groups[name, rate, one].minus(results.groups[name, rate, two])


def _table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = ([cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines)
    first, *others = (f"| {' | '.join(cells)} |" for cells in padded)
    return [first, "|" + "|".join("-" * (width + 2) for width in widths) + "|", *others]
