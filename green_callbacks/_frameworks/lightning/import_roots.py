"""Detects which framework calls a callback, and under which import root if it is Lightning."""

from typing import Any, Final, NoReturn

from green_callbacks.errors import ConfigurationError

_ROOTS: Final = ("lightning", "pytorch_lightning")
_MODULES: Final = {"lightning": "green_callbacks.lightning", "pytorch_lightning": "green_callbacks.pytorch_lightning"}


def root_of(thing: object, name: str) -> str | None:
    """Return the import root of the Lightning class that an object is an instance of.

    Args:
        thing: The object.
        name: Name of the class.

    Returns:
        ``lightning`` or ``pytorch_lightning``. None if the object belongs to neither.
    """
    for kind in thing.__class__.__mro__:
        root = kind.__module__.partition(".")[0]
        if kind.__name__ == name and root in _ROOTS:
            return root
    return None


def refuse_other_root(callback: object, name: str, trainer: object) -> None:
    """Refuse a trainer of the other import root, for a callback whose class such a trainer does not recognize.

    Args:
        callback: The callback.
        name: Name of its Lightning class.
        trainer: The trainer.

    Raises:
        ConfigurationError: The import roots differ.
    """
    own, others = root_of(callback, name), root_of(trainer, "Trainer")
    if own is not None and others is not None and own != others:
        msg = (
            f"{type(callback).__name__} was imported from {_MODULES[own]}, and the Trainer is of {others}. "
            f"Import it from {_MODULES[others]}."
        )
        raise ConfigurationError(msg)


class OfLightning:
    """Refuses any caller that is not a Lightning trainer, with one message."""

    def _refuse_foreign(self, trainer: Any) -> None:
        """Refuse a caller that is not a Lightning trainer, such as Fabric, whose hooks may have any arguments.

        Raises:
            ConfigurationError: The caller is not a Lightning trainer.
        """
        if not hasattr(trainer, "fit_loop"):
            self._refuse()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        name = type(self).__name__
        msg = (
            f"This {name} is a callback for the Trainer of Lightning, but something else has called it. "
            f"For Keras, import {name} from green_callbacks.keras. For Transformers, import it from "
            "green_callbacks.transformers. For Fabric and your own loops, use green_callbacks.EnergyAccountant."
        )
        raise ConfigurationError(msg)

    # Keras and Transformers call these methods first.
    set_params = set_model = on_batch_end = on_init_end = _refuse
