"""Pictures that are drawn with matplotlib."""

import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.text.optional_packages import optional_package

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DOTS_PER_INCH: Final = 150
"""Resolution of a picture of dots, by convention."""


def drawn(path: Path, size_inches: tuple[float, float], paint: Callable[["Figure"], None]) -> bytes:
    """Draw a picture.

    Args:
        path: The file for it. Its ending tells the format.
        size_inches: Width and height, in inches.
        paint: Draws into the figure.

    Returns:
        Content of the file.

    Raises:
        ConfigurationError: ``matplotlib`` is missing or cannot be loaded, or it knows no such format.
    """
    matplotlib = optional_package("matplotlib", "figure", what="A plot", name="matplotlib", extra="plot")
    picture = BytesIO()
    # A dollar sign in a name begins no formula, and no name is handed to TeX.
    with matplotlib.rc_context({"text.parse_math": False, "text.usetex": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # the picture shows a box
        figure = matplotlib.figure.Figure(
            figsize=size_inches, layout="constrained"
        )  # without pyplot, which has a global state
        paint(figure)
        try:
            figure.savefig(picture, dpi=_DOTS_PER_INCH, format=path.suffix.removeprefix(".") or None)
        except ValueError as error:
            msg = f"The picture {path} cannot be written ({error}). Name a file that ends in .png, .svg or .pdf."
            raise ConfigurationError(msg) from error
    return picture.getvalue()
