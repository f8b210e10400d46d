"""Names that come from files and become names of files."""

import re
from typing import Final

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""At most 100 characters, so that an ending can follow within the 255 bytes that file systems allow."""


def is_plain_name(name: object) -> bool:
    """Tell whether a name can stand for a file without leading anywhere else.

    Args:
        name: The name, of any type.

    Returns:
        Whether it is a text of 1 to 100 letters, digits, dots, dashes and underscores that begins with a letter or a
        digit.

    Example:
        >>> is_plain_name("20250101T120000-a1b2c3"), is_plain_name("../other")
        (True, False)
    """
    return isinstance(name, str) and _PLAIN.fullmatch(name) is not None
