"""Chooses the data of a report so that the file stays small enough for a mail.

Rows of all runs come first. Then come details of as many runs as fit, best runs first.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from green_callbacks.page.report import inlined_json

__all__ = ["best_first", "fitted"]

MOST_BYTES: Final = 2_850_000
"""Largest size of the data, in bytes. With the scripts and styles, a report of 1,000 runs stays below 3 MB."""

_ROWS_SHARE: Final = 0.7
"""Largest share of the data for the rows of all runs. The rest holds details of some 80 runs of 1,000."""

_FEWER_POINTS: Final = (100, 60, 40, 25, 15, 8, 3)
"""Numbers of points of a curve that are tried, one after the other, until all rows fit. By experiment."""

Row = Mapping[str, Any]
_Detail = Callable[[str], Mapping[str, Any] | None]
_Stop = Callable[[str, str], Mapping[str, Any] | None]


def fitted(
    runs: Mapping[str, Any],
    *,
    detail: _Detail,
    stop: _Stop,
    rules: Sequence[str],
    zones: Mapping[str, Any],
    most_bytes: int = MOST_BYTES,
) -> dict[str, Any]:
    """Return the data of a report.

    Args:
        runs: The rows of all runs with their totals, as the page shows them.
        detail: Returns the details of the run with a key. None if there are none.
        stop: Returns where a rule would have stopped the run with a key. None if that cannot be told.
        rules: The rules, as on the command line.
        zones: The places and PUEs to choose from.
        most_bytes: Largest size, in bytes. Rows are never left out, so that very many runs need more. Defaults to
            2,850,000.

    Returns:
        The data. A sentence says what was left out.

    Example:
        >>> runs = {"runs": [{"key": "a"}], "said": []}
        >>> data = fitted(runs, detail=lambda key: {"key": key}, stop=lambda *_: None, rules=["budget=1 g"], zones={})
        >>> data["details"], data["stops"]
        ({'a': {'key': 'a'}}, {'budget=1 g': {}})
    """
    rows, said = _thinned_rows(runs["runs"], round(most_bytes * _ROWS_SHARE))
    details: dict[str, Any] = {}
    stops: dict[str, dict[str, Any]] = {rule: {} for rule in rules}
    size = sum(map(_bytes, (rows, zones, [*runs["said"]])))
    for key in best_first(rows):
        shown = detail(key)
        if shown is None:
            continue
        told = {rule: found for rule in rules if (found := stop(key, rule)) is not None}
        size += _bytes({key: shown}) + sum(_bytes({key: found}) for found in told.values())
        if size > most_bytes:
            said.append(
                f"Details and stops are shown for {len(details):,} of {len(rows):,} runs, so that the file stays small "
                "enough for a mail. Open the folder in TensorBoard to see all of them."
            )
            break
        details[key] = shown
        for rule, found in told.items():
            stops[rule][key] = found
    rows_and_totals = {**runs, "runs": rows, "said": [*runs["said"], *said]}
    return {"runs": rows_and_totals, "details": details, "stops": stops, "zones": zones}


def best_first(rows: Sequence[Row]) -> list[str]:
    """Return the keys of runs, the most interesting runs first.

    First come the runs on the front of quality and emissions over all runs. Then come the others by their best value,
    and last the runs without a metric by their emissions.

    Args:
        rows: Rows of the runs.

    Example:
        >>> rows = [{"key": "a"}, {"key": "b", "metric": "acc", "mode": "max", "best": 0.9}]
        >>> best_first(rows)
        ['b', 'a']
    """
    by_metric: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.get("metric") and row.get("best") is not None:
            by_metric.setdefault((row["metric"], row["mode"]), []).append(row)
    groups = sorted(by_metric.items(), key=lambda item: -len(item[1]))
    on_front = [key for (_, mode), group in groups for key in _front(group, _sign(mode))]
    ranked = [key for (_, mode), group in groups for key in _by_best(group, _sign(mode))]
    others = [row["key"] for row in sorted(rows, key=lambda row: -(row.get("g") or 0.0))]
    return list(dict.fromkeys([*on_front, *ranked, *others]))


def _sign(mode: str) -> float:
    return -1.0 if mode == "min" else 1.0


def _by_best(rows: Sequence[Row], sign: float) -> list[str]:
    return [row["key"] for row in sorted(rows, key=lambda row: -sign * row["best"])]


def _front(rows: Sequence[Row], sign: float) -> Iterator[str]:
    """Yield the keys of the runs that reach some quality with the least emissions, the best quality first."""
    points = [
        (g, -sign * q, row["key"])
        for row in rows
        for g, q in zip(row.get("front", {}).get("g", ()), row.get("front", {}).get("q", ()), strict=True)
    ]
    best, found = float("inf"), []
    for _, worse, key in sorted(points):
        if worse < best:
            best = worse
            found.append(key)
    yield from reversed(found)


def _thinned_rows(rows: Sequence[Row], most_bytes: int) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the rows with as many points as fit, and a sentence if these are fewer."""
    for most in _FEWER_POINTS:
        thinned = [_thinned_row(row, most) for row in rows]
        if _bytes(thinned) <= most_bytes:
            break
    if most == _FEWER_POINTS[0]:
        return thinned, []
    return thinned, [f"Each curve over all runs has at most {most} points, so that the file stays small enough."]


def _thinned_row(row: Row, most: int) -> dict[str, Any]:
    return {**row, "front": _thinned(row["front"], most)} if "front" in row else {**row}


def _thinned(columns: Mapping[str, Sequence[Any]], most: int) -> dict[str, list[Any]]:
    """Return the points of parallel columns at equal distances, with the first and the last."""
    length = max(map(len, columns.values()), default=0)
    if length <= most:
        return {name: list(column) for name, column in columns.items()}
    kept = [round(at * (length - 1) / (most - 1)) for at in range(most)]
    return {name: [column[at] for at in kept] if column else [] for name, column in columns.items()}


def _bytes(data: object) -> int:
    return len(inlined_json(data))
