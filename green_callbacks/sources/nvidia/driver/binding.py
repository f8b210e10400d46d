"""Loads the module ``pynvml`` of NVIDIA's ``nvidia-ml-py``, and recognizes foreign modules of that name."""

from importlib import import_module
from types import ModuleType

from green_callbacks.errors import SourceUnavailableError


def loaded() -> ModuleType:
    """Import ``pynvml``.

    Raises:
        SourceUnavailableError: The module is missing, or cannot be imported.
    """
    try:
        return import_module("pynvml")
    except ImportError as error:
        msg = "NVIDIA GPUs cannot be measured, because nvidia-ml-py is missing. Run 'pip install nvidia-ml-py'."
        raise SourceUnavailableError(msg) from error
    # Other packages bring a module of that name, some of them for Python 2. Their exceptions cannot be known here. The
    # message shows the exception.
    except Exception as error:
        msg = (
            f"NVIDIA GPUs cannot be measured, because pynvml cannot be imported ({type(error).__name__}: {error}). Run "
            "'pip uninstall -y pynvml nvidia-ml-py3' and 'pip install --force-reinstall nvidia-ml-py'."
        )
        raise SourceUnavailableError(msg) from error


def foreign(module: ModuleType) -> str | None:
    """Return the remedy if another package has put its own ``pynvml`` in the place of NVIDIA's.

    Args:
        module: The imported ``pynvml``.

    Returns:
        A sentence, or None for NVIDIA's own module.
    """
    if hasattr(module, "_nvmlGetFunctionPointer"):
        return None
    origin = getattr(module, "__file__", None) or "an unknown place"
    return (
        f"The module pynvml from {origin} does not belong to NVIDIA's nvidia-ml-py. Run 'pip uninstall -y pynvml "
        "nvidia-ml-py3' and 'pip install --force-reinstall nvidia-ml-py'."
    )
