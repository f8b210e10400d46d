"""Version of the package.

Example:
    >>> len(__version__.split("."))
    3
"""

__version__ = "0.1.0"
