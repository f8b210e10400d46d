"""Packages that an extra brings, and what to say where they are missing."""

from importlib import import_module
from typing import Any

from green_callbacks.errors import ConfigurationError
from green_callbacks.text.escape import for_terminal


def optional_package(module: str, *parts: str, what: str, name: str, extra: str) -> Any:  # noqa: ANN401  a module
    """Import a package that an extra brings, and some of its modules.

    Args:
        module: Name of the package.
        *parts: Names of its modules, which are then among its attributes.
        what: What needs it, such as ``A plot``.
        name: Name of the package, as people write it.
        extra: The extra that brings it.

    Returns:
        The package.

    Raises:
        ConfigurationError: The package is missing, or cannot be loaded.

    Example:
        >>> optional_package("json", what="A plot", name="JSON", extra="plot").__name__
        'json'
    """
    try:
        package = import_module(module)
        for part in parts:
            if not hasattr(package, part):
                import_module(f"{module}.{part}")
    except (ImportError, AttributeError, ValueError, OSError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name == module:
            msg = f"{what} needs {name}. Run pip install 'green-callbacks[{extra}]'."
        else:  # built for another NumPy, or half removed
            packages = " ".join(dict.fromkeys(["numpy", module]))
            msg = (
                f"{what} needs {name}, which is installed but cannot be loaded ({for_terminal(str(error))}). Run pip "
                f"install --force-reinstall {packages}."
            )
        raise ConfigurationError(msg) from error
    return package
