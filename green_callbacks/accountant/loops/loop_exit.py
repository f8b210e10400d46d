"""How a loop over a generator was left: with ``break``, or by an exception."""

import dis
import sys
from collections.abc import Mapping
from inspect import CO_GENERATOR
from math import inf
from types import CodeType, FrameType
from typing import Final, Literal

_LETS_GO: Final = ("POP_TOP", "POP_ITER", "END_FOR", "FOR_ITER", "RETURN_", "DELETE_", "STORE_")
"""How the instructions begin at which a loop lets go of what it goes through. An exception comes at others."""
_YIELDS: Final = frozenset({"YIELD_VALUE", "RESUME"})
"""Instructions at which a generator is closed that goes through another one."""


def how_left(frame: FrameType | None, askers: Mapping[CodeType, int]) -> Literal["left", "broke off", "unknown"]:
    """Tell by the instruction at which a generator is closed whether its loop was left, or broken off.

    Python tells a generator that it is closed, and not why. A loop lets go of it where it is left; where an exception
    passes, the loop stands at the instruction that raised.

    Args:
        frame: What runs while it is closed.
        askers: Where it was asked for the last epoch.
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
    """Tell whether a loop is still being gone through, by whatever runs on this thread.

    Args:
        askers: Where its generator was asked for the last item.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  there is no other way to ask
    while frame is not None:
        asked_at = askers.get(frame.f_code)
        if asked_at is not None and asked_at <= frame.f_lasti < _end_of_loop(frame.f_code, asked_at):
            return True
        frame = frame.f_back
    return False


def _end_of_loop(code: CodeType, start: int) -> float:
    """Return where the loop ends that an instruction begins; never where it begins none."""
    ends = (each.argval for each in dis.get_instructions(code) if (each.opname, each.offset) == ("FOR_ITER", start))
    return next(ends, inf)


def askers_of(frame: FrameType | None) -> dict[CodeType, int]:
    """Return the instructions from which a generator is asked: of generators around it, and of what asks those.

    Args:
        frame: What asks it.
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
    """Tell whether a frame calls a method ``close``."""
    before = [each for each in dis.get_instructions(frame.f_code) if each.offset < frame.f_lasti]
    asked = [each.argval for each in before[-4:] if each.opname in ("LOAD_METHOD", "LOAD_ATTR")]
    return _name(frame) == "CALL" and asked[-1:] == ["close"]
