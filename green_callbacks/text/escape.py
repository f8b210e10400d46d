r"""Foreign text, made safe for the place where it is shown: one function for each kind of place.

Names of metrics, runs, places and files come from users, files and drivers. Shown as they are, they could move the
cursor of a terminal, forge a line of a log, or become a formula, a link or a tag. What cannot be seen is written out,
such as ``\x1b`` for the escape character, so that nothing is lost without a trace.
"""

import re
from typing import Final

__all__ = ["for_csv_cell", "for_html", "for_log", "for_markdown", "for_terminal", "for_yaml"]

LONGEST: Final = 1000
"""Characters of one foreign text that are shown, by default: longer than any sentence of ours."""

_LONGEST_IN_LOG: Final = 4000
"""Characters of one argument of a log message: some hold a list of names."""

_CUT: Final = "..."
_JOINERS: Final = "\u200c\u200d"
"""Invisible, but words of Persian and Hindi and many emojis are spelled with these two."""

_SPACES: Final = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
"""Spaces other than the common one: no danger to anything."""

_FORMULA: Final = re.compile("(^|;)(?=\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20])")
"""Where a spreadsheet would begin to read a formula; also after ``;``, which separates cells in half of Europe."""

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MARKUP: Final = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown reads as markup inside a line. An underscore inside a word is none."""

_YAML_ESCAPES: Final = 0xFFFF
"""The largest code point that ``\\uXXXX`` can write; ``\\UXXXXXXXX`` writes those beyond."""


def for_terminal(text: object, *, keeps_lines: bool = False, limit: int | None = LONGEST) -> str:
    r"""Make a text safe to print.

    Args:
        text: The text; ``str()`` is taken of anything else.
        keeps_lines: Whether newlines stay newlines. Defaults to False.
        limit: The most characters of the text to show; None for all. Defaults to 1000.

    Returns:
        The text with everything invisible written out: control characters of both kinds, DEL, marks of direction, line
        separators, lone surrogates. A text that is too long ends in ``...``.

    Example:
        >>> for_terminal("\x1b[2Jval\nacc")
        '\\x1b[2Jval\\nacc'
    """
    shown = text if isinstance(text, str) else _text_of(text)
    if limit is not None and len(shown) > limit:
        shown = shown[: max(limit - len(_CUT), 0)] + _CUT
    if shown.isprintable():
        return shown
    kept = _JOINERS + "\n" if keeps_lines else _JOINERS
    return "".join(each if each in kept or _is_visible(each) else _written_out(each) for each in shown)


def for_log(text: object) -> str:
    """Make a text safe for one line of a log.

    Args:
        text: The text; ``str()`` is taken of anything else.

    Returns:
        The text on one line, as :func:`for_terminal` writes it, of at most 4000 characters before that.
    """
    return for_terminal(text, limit=_LONGEST_IN_LOG)


def for_csv_cell(value: str | float | None) -> str | float | None:
    """Make a value safe for a cell that a spreadsheet opens.

    Args:
        value: A number, which stays one; a text; or None, an empty cell.

    Returns:
        The value; a text on one line, with an apostrophe before what would be a formula. A text that is a number, such
        as ``-1.5``, stays as it is. Quoting is left to :mod:`csv`.
    """
    if not isinstance(value, str):
        return value
    text = for_terminal(value)
    if _NUMBER.fullmatch(text):
        return text
    # A tab or a break of line that a spreadsheet takes away would lay bare what follows it.
    return f"'{text}" if value.startswith(("\t", "\r", "\n")) else _FORMULA.sub(r"\1'", text)


def for_markdown(text: object) -> str:
    r"""Make a text safe inside a line or a cell of Markdown.

    Args:
        text: The text; ``str()`` is taken of anything else.

    Returns:
        The text on one line, in which nothing is markup, math or HTML.

    Example:
        >>> for_markdown("a|b <i>")
        'a\\|b &lt;i&gt;'
    """
    return _MARKUP.sub(r"\\\g<0>", for_terminal(text)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def for_html(text: object) -> str:
    """Make a text safe in HTML, inside an attribute as well.

    Args:
        text: The text; ``str()`` is taken of anything else.

    Returns:
        The text on one line, with the five characters that mean something in HTML as entities.
    """
    import html  # slow to import, and seldom needed

    return html.escape(for_terminal(text), quote=True)


def for_yaml(value: str | float | None) -> str:
    """Write a value as YAML.

    Args:
        value: A text, a number, or None.

    Returns:
        A number, ``null``, or a text in double quotes whatever it holds, on one line. Lone surrogates, which no file in
        UTF-8 can hold, become U+FFFD.
    """
    import json  # likewise

    if not isinstance(value, str):
        return json.dumps(value)
    whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    quoted = json.dumps(whole, ensure_ascii=False)  # a string of JSON is one of YAML too
    return "".join(each if _is_visible(each) else _yaml_escape(each) for each in quoted)


def _is_visible(each: str) -> bool:
    return each.isprintable() or each in _SPACES


def _written_out(each: str) -> str:
    return each.encode("unicode_escape").decode("ascii")


def _yaml_escape(each: str) -> str:
    code = ord(each)
    return f"\\u{code:04x}" if code <= _YAML_ESCAPES else f"\\U{code:08x}"


def _text_of(value: object) -> str:
    try:
        return str(value)
    # It runs other people's code, and what is being said matters more than how a value words itself.
    except Exception:  # noqa: BLE001
        return f"<a {type(value).__name__} that has no text>"
