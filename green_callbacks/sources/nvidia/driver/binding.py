"""The module ``pynvml`` of NVIDIA's distribution ``nvidia-ml-py``, and what may stand in its place."""

from importlib import import_module
from types import ModuleType

from green_callbacks.errors import SourceUnavailableError


def loaded() -> ModuleType:
    """Import ``pynvml``.

    Raises:
        SourceUnavailableError: It is missing, or cannot be imported.
    """
    try:
        return import_module("pynvml")
    except ImportError as error:
        msg = "NVIDIA GPUs cannot be measured: nvidia-ml-py is missing; run 'pip install nvidia-ml-py'."
        raise SourceUnavailableError(msg) from error
    # Other packages bring a module of that name, some of them of Python 2: what it raises cannot be known here. Nothing
    # is hidden: the message says it.
    except Exception as error:
        msg = (
            f"NVIDIA GPUs cannot be measured: importing pynvml failed ({type(error).__name__}: {error}). Run 'pip "
            "uninstall -y pynvml nvidia-ml-py3' and 'pip install --force-reinstall nvidia-ml-py'."
        )
        raise SourceUnavailableError(msg) from error


def foreign(module: ModuleType) -> str | None:
    """Return what to do where another package has put its own module in the place of NVIDIA's.

    Args:
        module: What ``import pynvml`` found.

    Returns:
        A sentence; None if it is NVIDIA's.
    """
    if hasattr(module, "_nvmlGetFunctionPointer"):
        return None
    origin = getattr(module, "__file__", None) or "an unknown place"
    return (
        f"The module pynvml from {origin} is not that of NVIDIA's nvidia-ml-py: run 'pip uninstall -y pynvml "
        "nvidia-ml-py3' and 'pip install --force-reinstall nvidia-ml-py'."
    )
