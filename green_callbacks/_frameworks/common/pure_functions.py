"""Recognizes pure functions of users, which may be called ahead of time because they do nothing but arithmetic."""

import builtins
import dis
import math
import sys
from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Final

_ARITHMETIC: Final = ("abs", "bool", "float", "int", "max", "min", "pow", "round")
"""Built-in functions that depend on their arguments alone and change nothing."""

_OPERATIONS: Final = (
    "BINARY_OP",
    "CACHE",
    "CALL",
    "CALL_KW",
    "COMPARE_OP",
    "CONTAINS_OP",
    "COPY",
    "COPY_FREE_VARS",
    "EXTENDED_ARG",
    "IS_OP",
    "JUMP_FORWARD",
    "KW_NAMES",
    "LOAD_ATTR",
    "LOAD_COMMON_CONSTANT",
    "LOAD_CONST",
    "LOAD_DEREF",
    "LOAD_GLOBAL",
    "LOAD_METHOD",
    "LOAD_SMALL_INT",
    "NOP",
    "NOT_TAKEN",
    "POP_TOP",
    "PRECALL",
    "PUSH_NULL",
    "RESUME",
    "RETURN_CONST",
    "RETURN_VALUE",
    "SWAP",
    "TO_BOOL",
)
"""Instructions of CPython that change only the variables of the function itself."""

_FAMILIES: Final = ("LOAD_FAST", "POP_JUMP_", "STORE_FAST", "UNARY_", "JUMP_IF_")
"""Beginnings of the names of further such instructions. Their endings differ between versions."""

_JUMPS: Final = frozenset((*dis.hasjrel, *dis.hasjabs))
"""Instructions that jump to another instruction."""

_LIBRARY: Final = "transformers.optimization"
"""A module whose schedules are pure, and are partial applications of its own functions."""


def is_pure(function: Callable[..., object]) -> bool:
    """Return whether a function certainly depends on its arguments alone, changes nothing and has no loop.

    The function is read and not called. A function that counts its calls, logs, draws random numbers or reads a metric
    is not pure. Neither is a function that calls another function of the user.

    Args:
        function: Any callable.
    """
    if isinstance(function, partial):
        given = (*function.args, *function.keywords.values())
        return _is_of_library(function.func) and all(map(_is_fixed, given))
    return isinstance(function, FunctionType) and _only_calculates(function)


def _is_of_library(function: Callable[..., object]) -> bool:
    name, module = getattr(function, "__name__", ""), sys.modules.get(_LIBRARY)
    return isinstance(function, FunctionType) and getattr(module, name, None) is function


def _only_calculates(function: FunctionType) -> bool:
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    instructions = list(dis.get_instructions(function))
    return (
        all(map(_is_harmless, instructions))
        and all(_is_fixed(value) for value in (*defaults, *cells))
        and all(_is_known(name, function) for name in function.__code__.co_names)
    )


def _is_harmless(instruction: dis.Instruction) -> bool:
    jumps_back = instruction.opcode in _JUMPS and instruction.argval <= instruction.offset
    return not jumps_back and (instruction.opname in _OPERATIONS or instruction.opname.startswith(_FAMILIES))


def _is_known(name: str, function: FunctionType) -> bool:
    """Return whether a name from outside a function stands for arithmetic or for a constant."""
    if name in function.__globals__:
        value = function.__globals__[name]
        is_constant = name.isupper() and _is_fixed(value)  # a lower-case global may be a counter
        return is_constant or value is math or _is_of_math(name, value)
    return (name in _ARITHMETIC and hasattr(builtins, name)) or hasattr(math, name)


def _is_of_math(name: str, value: object) -> bool:
    return getattr(math, name, None) is value


def _is_fixed(value: object) -> bool:
    return value is None or type(value) in (bool, int, float, str)
