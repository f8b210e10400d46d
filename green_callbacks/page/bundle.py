"""Joins our JavaScript modules into one, for a page in a single file.

It understands only the few forms that our modules use, and refuses all others. Tests let it refuse before users do.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from green_callbacks.errors import GreenCallbacksError

__all__ = ["bundled"]

_IMPORT: Final = re.compile(r'^import\s*(?:\{([^}]*)\}\s*from\s*)?"\./([\w-]+\.js)";[ \t]*\n?', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=(?:async )?(?:function|const|let|class)\b)", re.MULTILINE)
_DEFINED: Final = re.compile(r"^(?:export )?(?:(?:async )?function\*?|const|let|class) +([\w$]+)", re.MULTILINE)
_UNPACKED: Final = re.compile(r"^(?:export )?(?:const|let|var) *[\[{]|^(?:export )?var\b", re.MULTILINE)
_LEFT_OVER: Final = re.compile(r"^\s*(?:import\b(?!\()|export\b)|\bimport\s*\(|\bimport\.meta\b", re.MULTILINE)


def bundled(modules: Mapping[str, str], entry: str = "index.js") -> str:
    r"""Join modules in the order of their dependencies.

    Args:
        modules: Source of each module by name.
        entry: Name of the module that imports the others. Defaults to ``index.js``.

    Returns:
        The source of one module without imports and exports.

    Raises:
        GreenCallbacksError: A module is missing, imports in a form that is not understood, imports a name that is not
            exported, imports in a circle, or defines a name that another module defines too.

    Example:
        >>> print(bundled({"index.js": 'import { a } from "./a.js";\nb(a);\n', "a.js": "export const a = 1;\n"}))
        const a = 1;
        b(a);
        <BLANKLINE>
    """
    order = list(dict.fromkeys(_ordered(modules, entry, ())))
    owners: dict[str, str] = {}
    for name in order:
        for defined in _DEFINED.findall(modules[name]):
            if owners.setdefault(defined, name) != name:
                raise _refused(name, f"it defines {defined}, and so does {owners[defined]}")
    return "".join(_plain(name, modules) for name in order)


def _ordered(modules: Mapping[str, str], name: str, above: tuple[str, ...]) -> Iterator[str]:
    """Yield a module after the modules that it imports. A module that is imported twice comes twice."""
    if name in above:
        raise _refused(name, "it imports itself through other modules")
    if name not in modules:
        raise _refused(name, "there is no such module")
    for _, imported in _IMPORT.findall(modules[name]):
        yield from _ordered(modules, imported, (*above, name))
    yield name


def _plain(name: str, modules: Mapping[str, str]) -> str:
    source = modules[name]
    for names, imported in _IMPORT.findall(source):
        wanted = [each.strip() for each in names.split(",") if each.strip()]
        exported = _DEFINED.findall("\n".join(re.findall(r"^export .*", modules[imported], re.MULTILINE)))
        missing = [each for each in wanted if each not in exported]
        if missing:
            raise _refused(name, f"it imports {missing[0]}, which {imported} does not export")
    if _UNPACKED.search(source):
        raise _refused(name, "it defines a name at its top level by unpacking or by var")
    plain = _EXPORT.sub("", _IMPORT.sub("", source))
    if found := _LEFT_OVER.search(plain):
        raise _refused(name, f"it imports or exports in another form ({found[0].strip()})")
    return plain if plain.endswith("\n") else f"{plain}\n"


def _refused(name: str, reason: str) -> GreenCallbacksError:
    msg = f"The module {name} cannot go into a report, because {reason}. Report this to the authors of green_callbacks."
    return GreenCallbacksError(msg)
