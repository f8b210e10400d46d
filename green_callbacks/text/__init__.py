"""The words, names and amounts that people read, and the escaping of foreign text."""

from green_callbacks.text.escape import for_csv_cell, for_html, for_log, for_markdown, for_terminal, for_yaml
from green_callbacks.text.file_names import is_plain_name, plain_name

__all__ = [
    "for_csv_cell",
    "for_html",
    "for_log",
    "for_markdown",
    "for_terminal",
    "for_yaml",
    "is_plain_name",
    "plain_name",
]
