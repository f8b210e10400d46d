"""Find the numeric constants of the code that measures NVIDIA GPUs, and give them other values.

The search begins at the module of ``NvmlSource`` and follows its imports. So no list of files can grow old.
"""

import ast
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dis import get_instructions
from inspect import CO_OPTIMIZED
from types import CodeType, FrameType
from typing import NamedTuple

from green_callbacks.sources import NvmlSource

PACKAGE, ROOM = "green_callbacks.", "green_callbacks.sources."
UNITS = ("SECONDS", "JOULES", "WATTS")
NAMES_OF_NUMBERS = frozenset(
    {
        *("_UNINITIALIZED", "_NOT_SUPPORTED", "_NO_DRIVER", "_NO_LIBRARY", "_MISMATCH"),
        *("_NO_COUNT", "_NO_INSTANCE", "_POWER_AVERAGE", "_POWER_INSTANT", "_SCOPE_GPU", "_SCOPE_MODULE"),
        *("_VOLTA", "_AMPERE", "MICROSECONDS_PER_SECOND"),
    }
)
"""Codes of NVIDIA's driver and factors between units, which have no meaningful half."""
Value = float | tuple[float, ...]
Function = tuple[str, str, int]
"""The file, the name and the first line of a function."""
Names = Mapping[tuple[str, str], str]
"""The names that a module imports, by the module and the name that they come from."""


class Constant(NamedTuple):
    """A numeric constant of a module."""

    module: str
    name: str
    value: Value
    homes: tuple[tuple[str, str], ...]
    """Every module that holds the constant, with the name that it has there."""
    readers: frozenset[Function]
    """Functions that read it."""
    is_read_at_import: bool
    """Whether code outside functions reads it. A variation has no effect there."""

    @property
    def title(self) -> str:
        """Module and name."""
        return f"{self.module.removeprefix(ROOM)}.{self.name}"

    @contextmanager
    def varied(self, value: Value) -> Iterator[None]:
        """Give the constant another value for a while, wherever it is held."""
        for module, name in self.homes:
            setattr(sys.modules[module], name, value)
        try:
            yield
        finally:
            for module, name in self.homes:
                setattr(sys.modules[module], name, self.value)


def constants() -> list[Constant]:
    """Return the numeric constants, module by module in the order of their lines."""
    imports = {module: imported_names(module) for module in list(sys.modules) if module.startswith(PACKAGE)}
    codes = {module: codes_of(module) for module in imports}
    found = []
    for module in sorted(modules(imports)):
        for name, value in numbers_of(module):
            homes = ((module, name), *copies(module, name, imports))
            reads = [read for home, here in homes for read in reads_of(here, codes[home])]
            readers = frozenset(key for key, is_function in reads if is_function)
            at_import = any(not is_function for _, is_function in reads)
            found.append(Constant(module, name, value, homes, readers, at_import))
    return found


def variations(constant: Constant) -> list[Value | None]:
    """Return half and double of a value, with None for a value that would be zero.

    A share between a half and one is varied by its distance from one.
    """
    if isinstance(constant.value, tuple):
        return [tuple(factor * part for part in constant.value) for factor in (0.5, 2.0)]
    value = constant.value
    if isinstance(value, int):
        return [value // 2 or None, 2 * value]
    if 0.5 < value < 1 and not constant.name.endswith(UNITS):
        return [1 - (1 - value) / 2, 1 - 2 * (1 - value) or None]
    return [value / 2, 2 * value]


def functions_called(work: Callable[[], object]) -> set[Function]:
    """Do some work, and return the functions that it called."""
    called: set[Function] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            called.add(key_of(frame.f_code))

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return called


def modules(imports: Mapping[str, Names]) -> set[str]:
    """Return the module of the source and all modules of the room that it imports, directly or not."""
    found: set[str] = set()
    queue = [NvmlSource.__module__]
    while queue:
        module = queue.pop()
        if module not in found:
            found.add(module)
            queue += [other for other, _ in imports[module] if other in imports and other.startswith(ROOM)]
    return found


def numbers_of(module: str) -> Iterator[tuple[str, Value]]:
    """Yield the numbers and tuples of numbers to which a module gives a name in capitals."""
    for statement in tree_of(module).body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        for target in targets:
            for node in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(node, ast.Name) and node.id.isupper() and node.id not in NAMES_OF_NUMBERS:
                    value = getattr(sys.modules[module], node.id)
                    parts = value if isinstance(value, tuple) else (value,)
                    if all(isinstance(part, int | float) and not isinstance(part, bool) for part in parts):
                        yield node.id, value


def imported_names(module: str) -> dict[tuple[str, str], str]:
    """Return the names that a module imports from other modules."""
    return {
        (node.module, alias.name): alias.asname or alias.name
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def copies(module: str, name: str, imports: Mapping[str, Names]) -> list[tuple[str, str]]:
    """Return the modules that import a constant, with the name that it has there."""
    return [(other, names[module, name]) for other, names in imports.items() if (module, name) in names]


def reads_of(name: str, codes: list[CodeType]) -> Iterator[tuple[Function, bool]]:
    """Yield the code that reads a name of its module, and whether that code is a function."""
    for code in codes:
        read = {i.argval for i in get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
        if name in read:
            yield key_of(code), bool(code.co_flags & CO_OPTIMIZED)


def tree_of(module: str) -> ast.Module:
    """Return the syntax tree of a module."""
    return ast.parse(inspect.getsource(sys.modules[module]) or "")


def codes_of(module: str) -> list[CodeType]:
    """Return the code of a module and of everything that it defines."""
    path = inspect.getsourcefile(sys.modules[module]) or ""
    codes = [compile(inspect.getsource(sys.modules[module]), path, "exec")]
    for code in codes:  # grows as it is walked
        codes += [part for part in code.co_consts if isinstance(part, CodeType)]
    return codes


def key_of(code: CodeType) -> Function:
    """Return the file, the name and the first line of a function."""
    return code.co_filename, code.co_qualname, code.co_firstlineno
