"""Plain text in columns, for summaries and the command line."""

from collections.abc import Collection, Sequence
from textwrap import fill
from typing import Final

from green_callbacks.text import for_terminal

WIDTH: Final = 100
"""Width of a page, in characters."""

LONGEST_PARAGRAPH: Final = 4000
"""Longest text of a paragraph, in characters. The path of a file may have as many."""

_LONGEST_CELL: Final = 200
"""Longest text of a table cell, in characters. It leaves room for a list of names, and keeps a table readable."""

UNKNOWN: Final = "-"
"""Content of a table cell whose value is not known."""


def labeled(label: str, *lines: str, label_width: int) -> str:
    """Write lines beside their label, wrapped at 100 characters.

    Args:
        label: Subject of the lines.
        *lines: Text of one or more lines. Invisible characters are escaped.
        label_width: Width of the column of labels, in characters.

    Returns:
        The text, with all lines indented by the width of the labels.

    Example:
        >>> print(labeled("Energy", "3.2 kWh", "all of it measured", label_width=10))
        Energy    3.2 kWh
                  all of it measured
    """
    indent = " " * label_width
    filled = (
        fill(
            for_terminal(line, limit=LONGEST_PARAGRAPH),
            WIDTH,
            initial_indent=indent if at else f"{label} ".ljust(label_width),
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for at, line in enumerate(lines)
    )
    return "\n".join(filled)


def aligned(
    rows: Sequence[Sequence[str]],
    left: Collection[int] = (0,),
    *,
    header_rows: int = 1,
    longest_cell: int = _LONGEST_CELL,
) -> str:
    """Write rows as a table with a rule below its header.

    Args:
        rows: Cells, the same number in every row. Invisible characters are escaped.
        left: Indices of the columns that align left. All others align right, as numbers do. Defaults to the first.
        header_rows: Number of rows above the rule. Defaults to 1.
        longest_cell: Longest text of a cell, in characters. Defaults to 200.

    Returns:
        Lines of text.

    Example:
        >>> print(aligned([["run", "kWh"], ["first", "0.5"], ["second", "12"]]))
        run     kWh
        -----------
        first   0.5
        second   12
    """
    shown = [[for_terminal(cell, limit=longest_cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in shown
    ]
    return "\n".join([*lines[:header_rows], "-" * max(map(len, lines)), *lines[header_rows:]])
