r"""Escaping of foreign text, with one function for each kind of place where text is shown.

Names of metrics, runs, places and files come from users, files and drivers. Unescaped, they could move the cursor of a
terminal, forge a line of a log, or become a formula, a link or a tag. Invisible characters are shown as escapes, such
as ``\x1b``, so that nothing disappears without a trace.
"""

import re
from typing import Final

__all__ = ["for_csv_cell", "for_html", "for_log", "for_markdown", "for_terminal", "for_yaml"]

LONGEST: Final = 1000
"""Longest foreign text that is shown by default, in characters. No sentence of this package is as long."""

_LONGEST_IN_LOG: Final = 4000
"""Longest argument of a log message, in characters. Some arguments are lists of names."""

_CUT: Final = "..."
_JOINERS: Final = "\u200c\u200d"
"""Invisible characters that are kept, because words of Persian and Hindi and many emojis need them."""

_SPACES: Final = "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
"""Spaces other than the ASCII space. They do no harm."""

_FORMULA: Final = re.compile("(^|;)(?=\\s*[=+\\-@\uff1d\uff0b\uff0d\uff20])")
"""Positions where a spreadsheet starts to read a formula. Half of Europe separates cells by ``;``, so it counts too."""

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MARKUP: Final = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
"""Markup of Markdown inside a line. An underscore inside a word is not markup."""

_YAML_ESCAPES: Final = 0xFFFF
r"""Largest code point that ``\uXXXX`` can write. Larger code points need ``\UXXXXXXXX``."""


def for_terminal(text: object, *, keeps_lines: bool = False, limit: int | None = LONGEST) -> str:
    r"""Escape a text so that it is safe to print.

    Args:
        text: The text. Any other object is converted by ``str()``.
        keeps_lines: Whether newlines stay newlines. Defaults to False.
        limit: Longest text that is shown, in characters. None shows all of it. Defaults to 1000.

    Returns:
        The text with every invisible character escaped, such as control characters, DEL, direction marks, line
        separators and lone surrogates. A text that is too long ends in ``...``.

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
    r"""Escape a text for one line of a log.

    Args:
        text: The text. Any other object is converted by ``str()``.

    Returns:
        The text on one line, escaped like :func:`for_terminal`. Only its first 4000 characters are kept.

    Example:
        >>> for_log("two\nlines")
        'two\\nlines'
    """
    return for_terminal(text, limit=_LONGEST_IN_LOG)


def for_csv_cell(value: str | float | None) -> str | float | None:
    """Escape a value for a cell that a spreadsheet opens.

    Args:
        value: A number, a text, or None for an empty cell.

    Returns:
        A number or None unchanged. A text on one line, with an apostrophe before anything that would be a formula. A
        text that is a number, such as ``-1.5``, is unchanged. Quoting is left to :mod:`csv`.

    Example:
        >>> for_csv_cell("=1+1"), for_csv_cell("-1.5")
        ("'=1+1", '-1.5')
    """
    if not isinstance(value, str):
        return value
    text = for_terminal(value)
    if _NUMBER.fullmatch(text):
        return text
    # A spreadsheet drops a leading tab or line break, so the formula after it would begin the cell.
    return f"'{text}" if value.startswith(("\t", "\r", "\n")) else _FORMULA.sub(r"\1'", text)


def for_markdown(text: object) -> str:
    r"""Escape a text for a line or a table cell of Markdown.

    Args:
        text: The text. Any other object is converted by ``str()``.

    Returns:
        The text on one line, without any markup, math or HTML.

    Example:
        >>> for_markdown("a|b <i>")
        'a\\|b &lt;i&gt;'
    """
    return _MARKUP.sub(r"\\\g<0>", for_terminal(text)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def for_html(text: object) -> str:
    """Escape a text for HTML, attributes included.

    Args:
        text: The text. Any other object is converted by ``str()``.

    Returns:
        The text on one line, with the five special characters of HTML as entities.

    Example:
        >>> for_html("<b>")
        '&lt;b&gt;'
    """
    import html  # slow to import, and rarely needed

    return html.escape(for_terminal(text), quote=True)


def for_yaml(value: str | float | None) -> str:
    """Write a value as YAML.

    Args:
        value: A text, a number, or None.

    Returns:
        A number, ``null``, or a text in double quotes on one line. Lone surrogates become U+FFFD, because UTF-8 cannot
        encode them.

    Example:
        >>> for_yaml("yes"), for_yaml(0.5), for_yaml(None)
        ('"yes"', '0.5', 'null')
    """
    import json  # slow to import, and rarely needed

    if not isinstance(value, str):
        return json.dumps(value)
    whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    quoted = json.dumps(whole, ensure_ascii=False)  # a JSON string is also a YAML string
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
    # ``str()`` may run any code of others, and the message matters more than this value's text.
    except Exception:  # noqa: BLE001
        return f"<a {type(value).__name__} that has no text>"
