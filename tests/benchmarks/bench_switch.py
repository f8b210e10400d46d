"""What the entry points of Lightning cost a training that does not use this package, in ms of CPU time.

::

    python tests/benchmarks/bench_switch.py
"""

import subprocess
import sys
from statistics import median
from typing import Final

_PROCESSES: Final = 15
"""Number of fresh processes, of which the median is taken."""

_CALL: Final = """
import importlib.metadata, time, typing  # Lightning has them
began = time.process_time()
from green_callbacks.callbacks_factory import for_lightning
for_lightning()
first = time.process_time()
for _ in range(1000):
    for_lightning()
print(1e3 * (first - began), time.process_time() - first)
"""


def main() -> None:
    """Print the cost of the first trainer of a process, and of every further one."""
    runs = [
        subprocess.run([sys.executable, "-c", _CALL], capture_output=True, check=True, text=True).stdout.split()
        for _ in range(_PROCESSES)
    ]
    first, later = (median(float(run[at]) for run in runs) for at in (0, 1))
    print(f"GREEN_CALLBACKS unset: {first:.1f} ms for the first Trainer of a process, {later:.3f} ms for each more")


if __name__ == "__main__":
    main()
