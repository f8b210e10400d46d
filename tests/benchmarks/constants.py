"""Halve and double every numeric constant of the code that measures NVIDIA GPUs, and print what it does.

The script needs a C compiler and no GPU. Time is scripted, so it waits for nothing. NVIDIA's driver is a stand-in
(``tests/support/fake_nvml.c``) whose GPUs follow the traces of ``make bench``. A constant is varied on the traces on
which a function reads it. The columns are in percent. *err* is the mean of |told - true| / true. *inside* says how
often the bounds hold the truth. *width* is the mean half width of the bounds over the truth.

Every value is measured in several rounds with other phases and other delays of threads. Each round is compared with
the same round of the present value. A row ends with a mark:

    =  the figures of the first round are the same to the last digit, so there were no other rounds
    -  no figure changes by more than 1 % of itself
    ~  a figure changes by more than 1 %, but not by more than chance (four standard errors)
    *  a figure changes by more than 1 % and by more than chance

A share between a half and one is varied by its distance from one.
"""

import argparse
import logging
import multiprocessing
import os
import random
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.fake_nvml import loaded
from support.nvml_rig import Lap, Rig, lap
from traces import AVERAGED, SAMPLED, TRACES, scripts
from wing import ROOM, Constant, Value, constants, functions_called, variations

PAUSE_SECONDS, EXTRA_SECONDS, SETTLE_SECONDS = 0.3, 0.2, 1.0
SURE = 4.0
"""Number of standard errors from which on a mean change is not chance."""
TITLE_WIDTH = 38
SMALL = 0.01
"""Relative change of a figure up to which it does not matter."""
BUFFERED = {name: f"{script}\nsamples 0.02 120" for name, script in SAMPLED.items()}


class Section(NamedTuple):
    """Traces of GPUs that are measured in the same way."""

    title: str
    traces: Mapping[str, str]
    lengths: tuple[float, ...] = (2.0, 10.0)
    is_settled: bool = False
    """Whether both edges of a window wait for a refresh, as ``measure()`` does."""


SECTIONS = (
    Section("Energy counter, epochs", TRACES),
    Section("Energy counter, measure()", TRACES, lengths=(2.0,), is_settled=True),
    Section("No counter, power of the instant", SAMPLED),
    Section("No counter, power averaged over a second", AVERAGED),
    Section("No counter, the driver's buffer of samples", BUFFERED),
)


class Figures(NamedTuple):
    """How well windows are measured, in percent."""

    error: float
    long_error: float
    inside: float
    width: float

    @classmethod
    def of(cls, windows: Mapping[float, list[Lap]]) -> "Figures":
        """Return the figures of windows by their length in s."""
        errors = [fmean(100 * abs(one.error_joules) / one.true_joules for one in laps) for laps in windows.values()]
        laps = [one for some in windows.values() for one in some]
        inside = fmean(100.0 * one.covers for one in laps)
        width = fmean(50 * (one.high_joules - one.low_joules) / one.true_joules for one in laps)
        return cls(errors[0], errors[-1], inside, width)


Rounds = list[Figures]
"""The figures of each round. The list is empty if the measurement failed."""


class Work(NamedTuple):
    """One value of a constant to be measured in a section. Without a constant, all are as they are."""

    section: int
    windows: int
    rounds: int
    present: Rounds | None = None
    constant: Constant | None = None
    value: Value | None = None


Row = tuple[Constant, list[tuple[Value | None, Rounds]]]
"""A constant with its variations."""


def measured(section: Section, count: int, seed: int) -> Figures:
    """Measure windows of all traces of a section.

    Args:
        section: The traces.
        count: Number of windows of the shortest length for each trace. Each other length has one window.
        seed: Where the random phases, windows and delays of threads begin.
    """
    windows: dict[float, list[Lap]] = {length: [] for length in section.lengths}
    for number, script in enumerate(scripts(section.traces, seed).values()):
        rng = random.Random(1000 * seed + number)
        rig = Rig(loaded())
        rig.source._random = random.Random(rng.random())
        try:
            rig.open(f"gpu\n{script}")
            for length in section.lengths:
                few = count if length == section.lengths[0] else 1
                windows[length] += laps_of(rig, length, few, rng, is_settled=section.is_settled)
        finally:
            rig.source.close()
    return Figures.of(windows)


def laps_of(rig: Rig, seconds: float, count: int, rng: random.Random, *, is_settled: bool) -> Iterator[Lap]:
    """Yield windows that last a little longer than a length, and begin and end at random phase."""
    begin, end = (rig.settled_begin, rig.settled_end) if is_settled else (rig.edge, rig.edge)
    rig.run(SETTLE_SECONDS)
    for _ in range(count):
        rig.run(rng.uniform(0.0, PAUSE_SECONDS))
        first = begin()
        rig.run(seconds + rng.uniform(0.0, EXTRA_SECONDS))
        yield lap(first, end())


def done(work: Work) -> Rounds:
    """Measure one value in this process, and return its rounds."""
    section = SECTIONS[work.section]
    with work.constant.varied(work.value) if work.constant and work.value else nullcontext():
        try:
            first = measured(section, work.windows, 0)
            if work.present and first == work.present[0]:
                return work.present
            return [first, *(measured(section, work.windows, seed) for seed in range(1, work.rounds))]
        except (ArithmeticError, ValueError, LookupError, AssertionError):
            return []  # a formula fails for such a value, or the GPU cannot be measured with it


def mark(varied: Rounds, present: Rounds) -> str:
    """Return the mark for how much figures differ from the present figures."""
    if varied == present:
        return "="
    if not varied:
        return "*"
    marks = {change_mark(*both) for both in zip(zip(*varied, strict=True), zip(*present, strict=True), strict=True)}
    return next(sign for sign in "*~-" if sign in marks)


def change_mark(figures: tuple[float, ...], before: tuple[float, ...]) -> str:
    """Return the mark for how much one figure differs from its present value, round by round."""
    changes = [after - earlier for after, earlier in zip(figures, before, strict=True)]
    if abs(fmean(changes)) <= SMALL * fmean(before):
        return "-"
    return "*" if abs(fmean(changes)) > SURE * stdev(changes) / sqrt(len(changes)) else "~"


def print_section(section: Section, present: Rounds, rows: list[Row]) -> None:
    """Print the rows that differ from the present figures of a section, and the names of the other constants."""
    columns = [f"err {length:g} s" for length in section.lengths] + ["inside", "width"]
    print(f"\n{section.title}: {len(section.traces)} traces, in %")
    heads = "".join(f"{head:>9}" for head in columns)
    print(f"{'module and constant, present value':{TITLE_WIDTH}}{'halved':>9}{heads}  {'doubled':>9}{heads}")
    print(f"{'all as they are':{TITLE_WIDTH + 9}}{cells(section, present)}")
    same, module = [], ""
    for constant, variants in rows:
        if all(mark(rounds, present) == "=" for value, rounds in variants if value is not None):
            same.append(constant.title)
            continue
        if constant.module != module:
            module = constant.module
            print(module.removeprefix(ROOM))
        line = "".join(
            f"{text(value):>9}{variant_cells(section, value, rounds, present)}" for value, rounds in variants
        )
        print(f"{f'  {constant.name} {text(constant.value)}':{TITLE_WIDTH}}{line}")
    print(textwrap.fill(f"Read, and the same with half and double: {', '.join(same) or 'none'}", 120))


def variant_cells(section: Section, value: Value | None, rounds: Rounds, present: Rounds) -> str:
    """Return the figures of a variation and its mark, as columns."""
    if value is None:
        return " " * 9 * (len(section.lengths) + 2) + "  "
    return f"{cells(section, rounds)} {mark(rounds, present)}"


def cells(section: Section, rounds: Rounds) -> str:
    """Return the means of figures as columns."""
    if not rounds:
        return f"{'fails':>9}".ljust(9 * (len(section.lengths) + 2))
    error, long_error, inside, width = (fmean(figures) for figures in zip(*rounds, strict=True))
    errors = [error, long_error][: len(section.lengths)]
    return "".join(f"{figure:9.3f}" for figure in errors) + f"{inside:9.1f}{width:9.3f}"


def text(value: Value | None) -> str:
    """Return a value as short text."""
    if value is None:
        return "-"
    return f"{value[0]:g} ..." if isinstance(value, tuple) else f"{value:g}"


def print_idle(found: list[Constant], marks: Mapping[str, set[str]]) -> None:
    """Print which constants changed nothing in any section, and which constants were not varied."""
    lists = {
        "Read, and changed nothing to the last digit": [name for name, some in marks.items() if some == {"="}],
        "Read, and changed no figure by more than 1 %": [
            name for name, some in marks.items() if "-" in some and some <= {"=", "-"}
        ],
        "Read, and changed no figure by more than chance": [
            name for name, some in marks.items() if "~" in some and "*" not in some
        ],
        "Not read on these traces (faults, slow drivers, slices, shares, choice of GPUs)": [
            constant.title for constant in found if constant.readers and constant.title not in marks
        ],
        "Read by no function": [constant.title for constant in found if not constant.readers],
        "Read when a module is imported too, and not varied there": [
            constant.title for constant in found if constant.is_read_at_import
        ],
    }
    for title, names in lists.items():
        print(f"\n{title}: {len(names)}")
        print(textwrap.fill(", ".join(names) or "none", 120))


def main(arguments: argparse.Namespace) -> None:
    """Measure everything and print it."""
    loaded()
    found = [constant for constant in constants() if arguments.only in constant.title]
    windows, rounds = (1, 3) if arguments.quick else (4, arguments.rounds)
    print(
        f"{len(found)} constants; {rounds} rounds; a round has {windows} windows of 2 s for each trace, and one of 10 s"
    )
    marks: dict[str, set[str]] = {}
    with multiprocessing.get_context("fork").Pool(arguments.processes) as pool:
        for number, section in enumerate(SECTIONS):
            called = functions_called(lambda section=section: measured(section, 1, 0))
            read = [constant for constant in found if constant.readers & called]
            if not read:
                continue
            present = pool.apply(done, [Work(number, windows, rounds)])
            works = [
                Work(number, windows, rounds, present, constant, value)
                for constant in read
                for value in variations(constant)
            ]
            results = pool.map(done, works, chunksize=1)
            rows: dict[str, Row] = {}
            for work, result in zip(works, results, strict=True):
                rows.setdefault(work.constant.title, (work.constant, []))[1].append((work.value, result))
                if work.value is not None:
                    marks.setdefault(work.constant.title, set()).add(mark(result, present))
            print_section(section, present, list(rows.values()))
            sys.stdout.flush()
    print_idle(found, marks)


def parsed(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of a command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one window in three rounds: less time, more chance")
    parser.add_argument("--rounds", type=int, default=8, help="how often each value is measured, at least twice (8)")
    parser.add_argument("--only", metavar="TEXT", default="", help="constants whose module or name contains a text")
    cores = os.cpu_count()
    parser.add_argument("--processes", type=int, default=cores, help=f"how many at once; one a core ({cores})")
    return parser.parse_args(words)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    main(parsed())
