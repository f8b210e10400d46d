"""Plain text in columns."""

from collections.abc import Collection, Sequence
from textwrap import fill
from typing import Final

WIDTH: Final = 100
UNKNOWN: Final = "-"


def labelled(label: str, text: str, label_width: int) -> str:
    """Write a paragraph beside its label.

    Args:
        label: What it is about.
        text: The paragraph; wrapped at 100 characters.
        label_width: Width of the column of labels.
    """
    return fill(
        text,
        WIDTH,
        initial_indent=f"{label} ".ljust(label_width),
        subsequent_indent=" " * label_width,
        break_long_words=False,
        break_on_hyphens=False,
    )


def aligned(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> str:
    """Write rows as a table, its first row as a head.

    Args:
        rows: Cells; as many in every row.
        left: Columns that begin at the left; the others, numbers, end at the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])
