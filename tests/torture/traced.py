"""Interrupts at known places: at the n-th line, or instruction, of the package that the training thread executes."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from trial import Interrupted, attempt

import green_callbacks

PACKAGE = str(Path(green_callbacks.__file__).parent)

MOST_FAULTS = 20
"""So many are enough to see what is wrong: a run that is left half open costs seconds."""


class Interrupter:
    """Raises at the n-th event of the package's code on this thread.

    Args:
        at: Which, from 1; never if it is 0, to count them.
        opcodes: Whether every instruction is an event, and not only every line.
    """

    def __init__(self, at: int, *, opcodes: bool = False) -> None:
        self.count = 0
        self.place = ""
        self._at = at
        self._event = "opcode" if opcodes else "line"
        self._ours: dict[CodeType, bool] = {}

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> Any:
        code = frame.f_code
        is_ours = self._ours.get(code)
        if is_ours is None:
            is_ours = self._ours[code] = code.co_filename.startswith(PACKAGE)
        if not is_ours:
            return None
        if self._event == "opcode":
            frame.f_trace_opcodes = True
        if event == self._event:
            self.count += 1
            if self.count == self._at:
                self.place = f"{Path(code.co_filename).relative_to(PACKAGE)}:{frame.f_lineno} {code.co_qualname}"
                raise Interrupted
        return self

    def run(self, work: Callable[[], None]) -> bool:
        """Do something under it; return whether it was interrupted without anybody having seen it."""
        before = sys.gettrace()
        sys.settrace(self)
        try:
            work()
        finally:
            sys.settrace(before)
        return bool(self.place)


def events_of(folder: Path, *, opcodes: bool = False) -> int:
    """Return how many events a training has that is not interrupted."""
    counter = Interrupter(0, opcodes=opcodes)
    problems = attempt(folder / "count.jsonl", counter.run)
    assert problems is None
    return counter.count


def faults_at(numbers: Iterable[int], folder: Path, *, opcodes: bool = False) -> tuple[int, Counter[str]]:
    """Interrupt at each of some events.

    Returns:
        How often it came to that, and what did not hold, by place and fault, with how often.
    """
    done, faults = 0, Counter[str]()
    for number in numbers:
        interrupter = Interrupter(number, opcodes=opcodes)
        problems = attempt(folder / f"{number}.jsonl", interrupter.run)
        done += problems is not None
        for problem in problems or []:
            faults[f"{interrupter.place}: {problem}"] += 1
        if faults.total() >= MOST_FAULTS:
            break
    return done, faults
