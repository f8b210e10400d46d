"""Prints what a step costs with a monitor, beside an empty callback of the same framework."""

import statistics
from collections.abc import Callable, Sequence
from typing import Any


def print_step_prices(
    train: Callable[[list[Any]], Sequence[int]],
    empty: type,
    monitor: Callable[..., Any],
    *,
    owner: str,
    turns: int,
    bar_microseconds: float,
) -> None:
    """Measure and print. The fits take turns, so that what else the machine does counts little.

    Args:
        train: Trains with callbacks, and returns what each step takes on the training thread, in ns.
        empty: The framework's base class of callbacks.
        monitor: Returns a monitor with options.
        owner: The framework, as the owner of its callbacks.
        turns: Number of fits of each kind.
        bar_microseconds: What the monitor may cost, in µs a step.
    """
    listeners: dict[str, Callable[[], list[Any]]] = {
        "nobody": list,
        "empty": lambda: [empty()],
        "monitor": lambda: [monitor()],
        "decide_every": lambda: [monitor(decide_every="1 h")],
    }
    times: dict[str, list[float]] = {name: [] for name in listeners}
    for _ in range(turns):
        for name, callbacks in listeners.items():
            times[name].append(statistics.quantiles(train(callbacks()), n=10)[0] / 1e3)
    price = {name: statistics.median(each) for name, each in times.items()}
    print(f"a step with nobody listening: {price['nobody']:.1f} µs")
    print(f"{owner} own price of one callback: {price['empty'] - price['nobody']:.1f} µs")
    print(f"the monitor, beyond that: {price['monitor'] - price['empty']:.1f} µs (bar: {bar_microseconds:.0f} µs)")
    print(f"  with decide_every: {price['decide_every'] - price['empty']:.1f} µs")
