"""File names made of names that come from files."""

import re
from typing import Final

_LONGEST: Final = 100
"""Longest plain name, in characters. It leaves room for an ending within the 255 bytes that file systems allow."""

_PLAIN: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{_LONGEST - 1}}}")
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?|.*\.", re.IGNORECASE | re.ASCII)
"""Names of devices in Windows, with any ending. Names that end in a dot count too, because Windows drops the dot."""

_STEM: Final = 60
"""Number of characters of an unfit name that stay in the plain name, so that a person can recognize it."""


def is_plain_name(name: object) -> bool:
    """Return whether a name can be a file name that leads to no other folder.

    Args:
        name: The name, of any type.

    Returns:
        Whether it is a text of 1 to 100 letters, digits, dots, dashes and underscores. It begins with a letter or a
        digit, does not end with a dot, and is no device of Windows.

    Example:
        >>> is_plain_name("20250101T120000-a1b2c3"), is_plain_name("../other")
        (True, False)
    """
    return isinstance(name, str) and _PLAIN.fullmatch(name) is not None and _RESERVED.fullmatch(name) is None


def plain_name(name: str) -> str:
    """Return a name that can be a file name. A plain name stays as it is.

    Args:
        name: The name.

    Returns:
        A plain name. Different names have different plain names, and the same name always has the same plain name.

    Example:
        >>> plain_name("run-1"), plain_name("../../etc")
        ('run-1', 'etc-74ccf3c5')
    """
    if is_plain_name(name):
        return name
    import hashlib  # slow to import, and seldom needed

    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    stem = re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:_STEM].strip("_-")
    return f"{stem or 'name'}-{digest}"


def shortened(name: str, longest_bytes: int) -> str:
    """Return the beginning of a name that fits into a file name beside other parts.

    Args:
        name: The name.
        longest_bytes: Largest size of the result in UTF-8, in bytes.

    Returns:
        The name, or its beginning if it is too long. No letter is cut into two.

    Example:
        >>> shortened("köln", longest_bytes=2)
        'k'
    """
    return name.encode("utf-8", "replace")[:longest_bytes].decode("utf-8", "ignore")
