"""One sentence of ours where a callback for Keras 3 meets another framework."""

from typing import Any, Final

import keras

from green_callbacks.errors import ConfigurationError

if not hasattr(keras, "ops"):  # Keras 2 has none
    _msg = f"green_callbacks.keras needs Keras 3, and Keras {keras.__version__} is installed: pip install 'keras>=3'."
    raise ImportError(_msg)

_ANY_LOOP: Final = "drive a green_callbacks.EnergyAccountant from a callback of your own"
_LEGACY: Final = f"a legacy model of tf_keras: unset TF_USE_LEGACY_KERAS and use Keras 3, or {_ANY_LOOP}"
_LIGHTNING: Final = "Lightning: import the callback from green_callbacks.lightning"

_LEGACY_MODULES: Final = ("tf_keras", "tensorflow.python.keras")

_ELSEWHERE: Final = {
    "_implements_train_batch_hooks": _LEGACY,
    "setup": _LIGHTNING,
    "on_exception": _LIGHTNING,
    "state_key": _LIGHTNING,
    "on_init_end": f"Transformers: {_ANY_LOOP}",
}
"""What other frameworks ask of their callbacks first, which no callback of Keras 3 has."""


class OnlyKeras3:
    """A callback that refuses, at the start of the training, to be called by another framework than Keras 3."""

    def set_model(self, model: Any) -> None:
        """Take the model.

        Raises:
            ConfigurationError: It is a model of legacy Keras.
        """
        if any(str(base.__module__).startswith(_LEGACY_MODULES) for base in type(model).__mro__):
            raise self._refused(_LEGACY)
        super().set_model(model)  # type: ignore[misc]  # of the callback of Keras

    def __getattr__(self, name: str) -> Any:
        if name in _ELSEWHERE:
            raise self._refused(_ELSEWHERE[name])
        msg = f"{type(self).__name__!r} object has no attribute {name!r}"
        raise AttributeError(msg, name=name, obj=self)

    def _refused(self, where: str) -> ConfigurationError:
        return ConfigurationError(f"{type(self).__name__} of green_callbacks.keras is for Keras 3. This is {where}.")
