"""The pictures that sub-commands write."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from green_callbacks.cli.output_files import write_whole
from green_callbacks.text.pictures import drawn

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(path: Path, size_inches: tuple[float, float], paint: Callable[["Figure"], None]) -> None:
    """Draw a picture and write it.

    Args:
        path: The picture. Its ending tells the format.
        size_inches: Width and height, in inches.
        paint: Draws into the figure.

    Raises:
        ConfigurationError: ``matplotlib`` is missing or cannot be loaded, or the picture cannot be written.
    """
    write_whole(path, drawn(path, size_inches, paint))
