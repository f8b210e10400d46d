"""Refuses any caller that is not the ``Trainer`` of Hugging Face, with one message."""

from typing import NoReturn

from green_callbacks.errors import ConfigurationError


class OnlyTransformers:
    """Refuses the hooks of other frameworks."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        name = type(self).__name__
        msg = (
            f"This {name} is a callback for the Trainer of Hugging Face, but something else has called it. For "
            f"Lightning, import {name} from green_callbacks.lightning. For Keras, import it from green_callbacks.keras."
        )
        raise ConfigurationError(msg)

    # Keras and Lightning call these methods first.
    set_params = set_model = setup = on_fit_start = _refuse
