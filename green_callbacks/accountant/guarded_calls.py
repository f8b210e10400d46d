"""Calls of other people's code. A failing call is reported once, and its answer counts as unknown."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_Answer = TypeVar("_Answer")

_MOST_SAID: Final = 200
"""Number of warnings, and of refused metrics, that are remembered. Metrics may get new names at every step."""


class Guarded:
    """Calls objects of the user and of a framework, and survives their exceptions.

    Interrupts and exits pass through.
    """

    def __init__(self) -> None:
        self._said: set[str] = set()
        self.refused: set[str] = set()
        """Metrics that were reported, and are no numbers."""

    def ask(self, what: str, call: Callable[[], _Answer], otherwise: _Answer) -> _Answer:
        """Return an answer.

        Args:
            what: The question and its owner, as the subject of a sentence.
            call: Asks.
            otherwise: The answer if the call raises.
        """
        try:
            return call()
        # No answer of other people's code is worth a training, whatever the code raises.
        except Exception as reason:  # noqa: BLE001
            self.say_once(
                what, "%s cannot be read (%s: %s). It counts as not known.", what, type(reason).__name__, reason
            )
            return otherwise

    def tell(self, what: str, call: Callable[[], object]) -> bool:
        """Tell something to an object that may refuse it.

        Args:
            what: The action, as the subject of a sentence.
            call: Tells.

        Returns:
            Whether the call returned.
        """
        try:
            call()
        except Exception as reason:  # noqa: BLE001  as above
            self.say_once(what, "%s failed (%s: %s). Training goes on without it.", what, type(reason).__name__, reason)
            return False
        return True

    def numbers(self, metrics: Mapping[Any, Any]) -> dict[str, float]:
        """Return the metrics that are numbers.

        Args:
            metrics: Values of any type by name. None is passed over.
        """
        known: dict[str, float] = {}
        for name, value in metrics.items():
            if value is None:
                continue
            try:
                known[str(name)] = as_number(value)
            # What a framework's logs hold is of any kind, and converting it runs other people's code.
            except Exception:  # noqa: BLE001
                kind = type(value).__name__
                if isinstance(name, str) and len(self.refused) < _MOST_SAID:
                    self.refused.add(name)
                message = "The metric %r is no number but of type %s. It is not recorded. Log a scalar in its place."
                self.say_once(name if isinstance(name, str) else kind, message, name, kind)
        return known

    def say_once(self, key: str, message: str, *arguments: object) -> None:
        """Log a warning, unless one of that key was logged."""
        if key not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(key)
            logger.warning(message, *arguments)


def as_number(value: Any) -> float:  # noqa: ANN401  that is the question
    """Return a scalar of any library as a number.

    Args:
        value: A number of Python, :mod:`decimal` or NumPy, or an array or tensor of one element on any device.

    Returns:
        The number, which may be NaN or infinite.

    Raises:
        TypeError: The value is a text or complex.
        Exception: The value raises it.
    """
    if isinstance(value, float | int):
        return float(value)
    if hasattr(value, "shape"):  # an array, whose one element Python takes without a word of deprecation
        value = value.detach() if hasattr(value, "detach") else value
        value = value.item() if hasattr(value, "item") else value
    if isinstance(value, str | bytes | bytearray | complex):
        msg = f"a {type(value).__name__} is no number"
        raise TypeError(msg)
    return float(value)


def quiet_number(value: Any) -> float | None:  # noqa: ANN401  as above
    """Return a scalar of any library as a number. None if it is no number, which is said where it is noted.

    Args:
        value: A value of any type.
    """
    try:
        return as_number(value)
    except Exception:  # noqa: BLE001  converting a value runs other people's code
        return None
