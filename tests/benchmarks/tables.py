"""Tables of the errors of the contenders, of the ratio to the best peer, and of our bounds."""

from collections.abc import Iterable, Mapping
from statistics import fmean, median
from typing import Any

from traces import SAMPLED, TRACES

SHORT, LONG = "2", "10"
"""Lengths of the windows, in s."""
PEER = "landauer-gap"
"""The peer that errs least without a counter. Our error is compared with its error trace by trace."""
EXACT_MILLISECONDS = 1.0
"""Two errors that differ by less than the energy of this time differ by how long a call takes, in ms."""


def error_percent(windows: Iterable[tuple[float, float]]) -> float:
    """Return the mean error of windows in percent."""
    return fmean(100 * abs(told - true) / true for true, told, *_ in windows)


def print_accuracy(results: Mapping[str, Mapping[str, Any]], length: str, names: list[str], notes: list[str]) -> None:
    """Print the errors of windows of one length."""
    print(f"\nMean error of windows of {length} s, in %".ljust(38) + "".join(f"{name:>15}" for name in names))
    for trace in [*TRACES, *SAMPLED]:
        line = f"{trace:37}"
        for name in names:
            told = results[name].get(trace)
            if told is None:
                line += f"{'-':>15}"
            elif "error" in told:
                note = f"{name}: {told['error']}"
                if note not in notes:
                    notes.append(note)
                line += f"{f'fails [{notes.index(note) + 1}]':>15}"
            else:
                line += f"{error_percent(told[length]):15.3f}"
        print(line)


def print_ratios(results: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the ratio of our error to the peer's error, for each trace and each length of windows."""
    print(f"\nError, ours / {PEER}".ljust(38) + "".join(f"{f'{length} s':>15}" for length in (SHORT, LONG)))
    ratios, worse, exact = [], 0, 0
    for trace in [*TRACES, *SAMPLED]:
        line = f"{trace:37}"
        for length in (SHORT, LONG):
            told = [results[name][trace].get(length) for name in ("ours", PEER)]
            if None in told:
                line += f"{'-':>15}"
                continue
            ours, theirs = map(error_percent, told)
            ratios.append(ours / theirs)
            worse += ours > theirs
            exact += 0 < (ours - theirs) / 100 * float(length) * 1e3 <= EXACT_MILLISECONDS
            line += f"{ratios[-1]:15.3f}"
        print(line)
    if ratios:
        print(
            f"median {median(ratios):.3f} (bar 0.333), highest {max(ratios):.3f}; ours is larger in {worse} of "
            f"{len(ratios)} (bar 0), in {exact} of these by less than {EXACT_MILLISECONDS:g} ms of power"
        )


def print_bounds(results: Mapping[str, Mapping[str, Any]]) -> None:
    """Print how often our bounds hold the truth, and how wide they are beside the mean error."""
    rows = [("ours", SHORT), ("ours", LONG), ("measure()", SHORT)]
    titles = [f"{name}, {length} s" for name, length in rows]
    print("\nBounds: truth inside, width / mean error".ljust(41) + "".join(f"{title:>22}" for title in titles))
    pooled: dict[str, list[Any]] = {title: [] for title in titles}
    for trace in [*TRACES, *SAMPLED]:
        line = f"{trace:40}"
        for title, (name, length) in zip(titles, rows, strict=True):
            windows = results[name][trace].get(length, [])
            pooled[title] += windows
            line += bounds(windows)
        print(line)
    print(f"{'all traces':40}" + "".join(bounds(windows) for windows in pooled.values()))
    print(f"{'all':40}" + bounds([window for windows in pooled.values() for window in windows]))


def bounds(windows: list[tuple[float, float, float, float]]) -> str:
    """Return coverage and relative width of windows, as text."""
    if not windows:
        return f"{'-':>22}"
    held = fmean(low <= true <= high for true, _, low, high in windows)
    width = fmean(high - low for *_, low, high in windows)
    error = fmean(abs(told - true) for true, told, *_ in windows)
    return f"{100 * held:14.1f} %{min(width / max(error, 1e-9), 999.0):6.1f}"
