"""A secret of the user that never appears in any output."""

import os
from collections.abc import Mapping
from typing import Final

from green_callbacks.errors import ConfigurationError

_MAX_LENGTH: Final = 4096
"""Longest token, in characters. Servers refuse longer headers."""


class Token:
    """A secret that no text and no pickle shows. An unpickled token reads the environment again.

    Args:
        secret: The secret. None reads the environment variable.
        variable: Name of the environment variable.
        environ: Environment variables. Defaults to ``os.environ``.

    Raises:
        ConfigurationError: The secret is missing, or cannot be part of a header. The message does not show it.
    """

    def __init__(self, secret: str | None, variable: str, environ: Mapping[str, str] = os.environ) -> None:
        if not isinstance(secret, str | None):
            msg = f"token= takes a text, not a value of type {type(secret).__name__}. Pass a text, or set {variable}."
            raise ConfigurationError(msg)
        secret = (secret if secret is not None else environ.get(variable, "")).strip()
        if not secret:
            msg = f"A token is needed. Pass token=, or set {variable}."
            raise ConfigurationError(msg)
        if not (secret.isascii() and secret.isprintable() and " " not in secret and len(secret) <= _MAX_LENGTH):
            msg = f"The token holds characters that no token has. Check token=, or {variable}."
            raise ConfigurationError(msg)
        self._secret = secret
        self._variable = variable

    @property
    def secret(self) -> str:
        """The secret itself, for the header of a request. Empty if it was left out of a pickle."""
        return self._secret

    def __repr__(self) -> str:
        return "Token(***)"

    def __deepcopy__(self, memo: object) -> "Token":
        return self

    def __getstate__(self) -> dict[str, str]:
        return {"variable": self._variable}

    def __setstate__(self, state: dict[str, str]) -> None:
        self._variable = state["variable"]
        self._secret = os.environ.get(self._variable, "").strip()
