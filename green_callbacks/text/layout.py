"""Plain text in columns."""

from collections.abc import Collection, Sequence
from textwrap import fill
from typing import Final

from green_callbacks.text import for_terminal

WIDTH: Final = 100
_LONGEST: Final = 4000
"""Characters of one paragraph that are shown: the path of a file may have as many."""
_LONGEST_CELL: Final = 200
"""Characters of a cell that are shown: whoever needs more asks about that run alone."""
UNKNOWN: Final = "-"


def labelled(label: str, text: str, label_width: int) -> str:
    """Write a paragraph beside its label.

    Args:
        label: What it is about.
        text: The paragraph; wrapped at 100 characters. What cannot be seen in it is written out.
        label_width: Width of the column of labels.
    """
    return fill(
        for_terminal(text, limit=_LONGEST),
        WIDTH,
        initial_indent=f"{label} ".ljust(label_width),
        subsequent_indent=" " * label_width,
        break_long_words=False,
        break_on_hyphens=False,
    )


def aligned(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """Write rows as a table, its first row as a head.

    Args:
        rows: Cells; as many in every row. What cannot be seen in them is written out.
        left: Columns that begin at the left; the others, numbers, end at the right.
    """
    shown = [[for_terminal(cell, limit=_LONGEST_CELL) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in shown
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
