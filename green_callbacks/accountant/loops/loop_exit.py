"""How a loop over a generator ended, with ``break`` or by an exception."""

import dis
import sys
from collections.abc import Mapping
from inspect import CO_GENERATOR
from math import inf
from types import CodeType, FrameType
from typing import Final, Literal

_LETS_GO: Final = ("POP_TOP", "POP_ITER", "END_FOR", "FOR_ITER", "RETURN_", "DELETE_", "STORE_")
"""Prefixes of the instructions at which a loop lets go of its iterator. Exceptions come at other instructions."""
_YIELDS: Final = frozenset({"YIELD_VALUE", "RESUME"})
"""Instructions at which a generator is closed that goes through another one."""


def how_left(frame: FrameType | None, askers: Mapping[CodeType, int]) -> Literal["left", "broke off", "unknown"]:
    """Return whether the loop over a closed generator was left, or interrupted by an exception.

    Python does not tell a generator why it is closed. So the present instruction of the loop decides. A loop that was
    left stands where it lets go of its iterator. After an exception, it stands at the instruction that raised.

    Args:
        frame: The frame that runs while the generator is closed.
        askers: The instructions that asked for the last epoch.
    """
    while frame is not None and frame.f_code.co_flags & CO_GENERATOR and _name(frame) in _YIELDS:
        frame = frame.f_back  # of a generator around this one, such as a progress bar
    if frame is None:
        return "unknown"
    name = _name(frame)
    if name == "FOR_ITER":  # of this loop, where islice() or zip() has come to its end; that of another has raised
        return "left" if askers.get(frame.f_code) == frame.f_lasti else "broke off"
    if name.startswith(_LETS_GO) or _calls_close(frame):
        return "left"
    return "broke off" if frame.f_code in askers else "unknown"


def is_going_on(askers: Mapping[CodeType, int]) -> bool:
    """Return whether a loop still runs, by the stack of this thread.

    Args:
        askers: The instructions that asked for the last item.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  there is no other way to ask
    while frame is not None:
        asked_at = askers.get(frame.f_code)
        if asked_at is not None and asked_at <= frame.f_lasti < _end_of_loop(frame.f_code, asked_at):
            return True
        frame = frame.f_back
    return False


def _end_of_loop(code: CodeType, start: int) -> float:
    """Return the end of the loop that an instruction begins, or infinity if it begins none."""
    ends = (each.argval for each in dis.get_instructions(code) if (each.opname, each.offset) == ("FOR_ITER", start))
    return next(ends, inf)


def askers_of(frame: FrameType | None) -> dict[CodeType, int]:
    """Return the instructions that ask a generator, of all generators around it and of the outermost frame.

    Args:
        frame: The frame that asks it.
    """
    askers: dict[CodeType, int] = {}
    while frame is not None:
        askers[frame.f_code] = frame.f_lasti
        if not frame.f_code.co_flags & CO_GENERATOR:
            break
        frame = frame.f_back
    return askers


def _name(frame: FrameType) -> str:
    instructions = dis.get_instructions(frame.f_code)
    return next((each.opname for each in instructions if each.offset == frame.f_lasti), "")


def _calls_close(frame: FrameType) -> bool:
    """Return whether a frame calls a method ``close``."""
    before = [each for each in dis.get_instructions(frame.f_code) if each.offset < frame.f_lasti]
    asked = [each.argval for each in before[-4:] if each.opname in ("LOAD_METHOD", "LOAD_ATTR")]
    return _name(frame) == "CALL" and asked[-1:] == ["close"]
