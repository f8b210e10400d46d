"""Traces of power that the benchmarks measure, as scripts of the stand-in for NVIDIA's driver."""

import random
from collections.abc import Mapping

SQUARE = "trace square 80 400"
STEPS = "trace steps 1.3 100 0.7 350 2.1 220 0.9 400 1.7 150"
COUNTER, NO_COUNTER = "counter 0.1 {offset}", "arch 4\ncounter 0"
TRACES = {
    "constant 300 W": f"trace constant 300\n{COUNTER}",
    "square 0.3 Hz": f"{SQUARE} 0.3 0.5 {{phase}}\n{COUNTER}",
    "steps": f"{STEPS}\n{COUNTER}",
    "square 1 Hz": f"{SQUARE} 1 0.5 {{phase}}\n{COUNTER}",
    "sine 1 Hz": f"trace sine 240 160 1 {{phase}}\n{COUNTER}",
    "square 7 Hz": f"{SQUARE} 7 0.5 {{phase}}\n{COUNTER}",
    "1 Hz, refresh jitters 10 %": f"{SQUARE} 1 0.5 {{phase}}\n{COUNTER} 0.1",
}
"""GPUs with an energy counter, which refreshes every 0.1 s."""
SAMPLED = {
    "no counter: constant": f"trace constant 300\n{NO_COUNTER}",
    "no counter: 0.3 Hz": f"{SQUARE} 0.3 0.5 {{phase}}\n{NO_COUNTER}",
    "no counter: steps": f"{STEPS}\n{NO_COUNTER}",
    "no counter: 1 Hz": f"{SQUARE} 1 0.5 {{phase}}\n{NO_COUNTER}",
    "no counter: sine": f"trace sine 240 160 1 {{phase}}\n{NO_COUNTER}",
}
"""GPUs that only tell their power."""
AVERAGING = "arch 9\ncounter 0\npower 0.1 0.025 {offset}\naverage 0.1 1 {offset}"
AVERAGED = {
    "square 1.3 Hz": f"{SQUARE} 1.3 0.5 {{phase}}\n{AVERAGING}",
    "square 0.3 Hz": f"{SQUARE} 0.3 0.5 {{phase}}\n{AVERAGING}",
    "square 7.3 Hz": f"{SQUARE} 7.3 0.5 {{phase}}\n{AVERAGING}",
    "sine 1.1 Hz": f"trace sine 240 160 1.1 {{phase}}\n{AVERAGING}",
    "steps": f"{STEPS}\n{AVERAGING}",
    "constant": f"trace constant 300\n{AVERAGING}",
}
"""GPUs without a counter that tell the mean power of the last second, and the mean of 25 ms of every 100 ms."""


def scripts(traces: Mapping[str, str], seed: int) -> dict[str, str]:
    """Return the scripts of traces at random phases that depend only on the seed.

    Args:
        traces: Scripts by the name of the trace, with ``{phase}`` and ``{offset}`` to be filled in.
        seed: Seed of the random numbers.
    """
    rng = random.Random(seed)
    return {
        name: script.format(phase=f"{rng.random():.3f}", offset=f"{rng.uniform(0.0, 0.1):.4f}")
        for name, script in traces.items()
    }
