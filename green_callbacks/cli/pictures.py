"""The pictures that sub-commands draw with matplotlib."""

import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from green_callbacks.cli.output_files import write_whole
from green_callbacks.errors import ConfigurationError
from green_callbacks.text import for_terminal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DOTS_PER_INCH: Final = 150
"""Resolution of a picture of dots, by convention."""


def draw(path: Path, size_inches: tuple[float, float], paint: Callable[["Figure"], None]) -> None:
    """Draw a picture and write it.

    Args:
        path: The picture. Its ending tells the format.
        size_inches: Width and height, in inches.
        paint: Draws into the figure.

    Raises:
        ConfigurationError: ``matplotlib`` is missing or cannot be loaded, or the picture cannot be written.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure  # without pyplot, which has a global state
    except ModuleNotFoundError as error:
        msg = "A plot needs matplotlib. Run pip install 'green-callbacks[plot]'."
        raise ConfigurationError(msg) from error
    except (ImportError, AttributeError, ValueError, OSError) as error:  # built for another NumPy, or half removed
        msg = (
            f"A plot needs matplotlib, which is installed but cannot be loaded ({for_terminal(str(error))}). Run pip "
            "install --force-reinstall numpy matplotlib."
        )
        raise ConfigurationError(msg) from error
    picture = BytesIO()
    # A dollar sign in a name begins no formula, and no name is handed to TeX.
    with rc_context({"text.parse_math": False, "text.usetex": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # the picture shows a box
        figure = Figure(figsize=size_inches, layout="constrained")
        paint(figure)
        try:
            figure.savefig(picture, dpi=_DOTS_PER_INCH, format=path.suffix.removeprefix(".") or None)
        except ValueError as error:
            msg = f"The picture {path} cannot be written ({error}). Name a file that ends in .png, .svg or .pdf."
            raise ConfigurationError(msg) from error
    write_whole(path, picture.getvalue())
