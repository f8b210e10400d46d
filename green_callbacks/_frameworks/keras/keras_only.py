"""Refuses to run a callback for Keras 3 under another framework."""

from typing import Any, Final

import keras

from green_callbacks.errors import ConfigurationError

if not hasattr(keras, "ops"):  # Keras 2 has none
    _msg = (
        f"green_callbacks.keras needs Keras 3, but Keras {keras.__version__} is installed. Run pip install 'keras>=3'."
    )
    raise ImportError(_msg)

_ANY_LOOP: Final = "use green_callbacks.EnergyAccountant in a callback of your own"
_LEGACY: Final = f"a legacy model of tf_keras. Unset TF_USE_LEGACY_KERAS and use Keras 3, or {_ANY_LOOP}"
_LIGHTNING: Final = "Lightning. Import the callback from green_callbacks.lightning"

_LEGACY_MODULES: Final = ("tf_keras", "tensorflow.python.keras")

_ELSEWHERE: Final = {
    "_implements_train_batch_hooks": _LEGACY,
    "setup": _LIGHTNING,
    "on_exception": _LIGHTNING,
    "state_key": _LIGHTNING,
    "on_init_end": f"Transformers. There, {_ANY_LOOP}",
}
"""Attributes that other frameworks read first, and that no callback of Keras 3 has."""


class OnlyKeras3:
    """A callback that accepts only Keras 3 as its framework, and refuses others at the start of the training."""

    def set_model(self, model: Any) -> None:
        """Set the model.

        Raises:
            ConfigurationError: The model belongs to legacy Keras.
        """
        if any(str(base.__module__).startswith(_LEGACY_MODULES) for base in type(model).__mro__):
            raise self._refused(_LEGACY)
        super().set_model(model)  # type: ignore[misc]  # of Keras, the next base class

    def __getattr__(self, name: str) -> Any:
        if name in _ELSEWHERE:
            raise self._refused(_ELSEWHERE[name])
        msg = f"{type(self).__name__!r} object has no attribute {name!r}"
        raise AttributeError(msg, name=name, obj=self)

    def _refused(self, where: str) -> ConfigurationError:
        return ConfigurationError(f"{type(self).__name__} of green_callbacks.keras is for Keras 3. This is {where}.")
