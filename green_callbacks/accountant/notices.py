"""Warnings of a run, each logged once and repeated in the summary."""

from collections.abc import Callable, Mapping
from typing import Final

from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_MOST: Final = 50
"""Number of warnings that a run keeps. More warnings repeat one kind, by mistake."""


class Notices:
    """Warnings for the user of a run, in the order in which they were logged.

    A warning names a part that cannot act, be measured or be kept, and the remedy.

    Args:
        before: Warnings of earlier processes of the run by their keys. The summary repeats them. They are logged again
            if they still hold. Defaults to none.
    """

    def __init__(self, before: Mapping[str, str] | None = None) -> None:
        self._texts: dict[str, str] = dict(before or {})
        self._said: set[str] = set()
        self.keep: Callable[[str, str | None], object] | None = None
        """Keeps a sentence in the ledger, or withdraws it (None), or None where there is no ledger."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The warnings."""
        return tuple(self._texts.values())

    @property
    def by_key(self) -> dict[str, str]:
        """The warnings by their keys."""
        return dict(self._texts)

    def say(self, key: str, message: str, *arguments: object, cause: BaseException | None = None) -> None:
        """Log a warning, and keep it for the summary, unless a warning of that key was logged.

        Args:
            key: The subject.
            message: A format string for the ``%`` operator.
            *arguments: The values for the format string.
            cause: An exception whose traceback is logged. Defaults to none.
        """
        if self.note(key, message, *arguments):
            logger.warning(message, *arguments, exc_info=cause)

    def note(self, key: str, message: str, *arguments: object) -> bool:
        """Keep a warning for the summary that is logged elsewhere, unless it holds one of that key.

        A warning that was withdrawn, and holds again, is kept again, and is not new.

        Args:
            key: The subject.
            message: A format string for the ``%`` operator.
            *arguments: The values for the format string.

        Returns:
            Whether it was new.
        """
        is_new, is_kept = key not in self._said, key in self._texts
        if (is_kept and not is_new) or (not is_kept and len(self._texts) >= _MOST):
            return False
        self._said.add(key)
        self._texts[key] = text = message % arguments if arguments else message
        if self.keep is not None:
            self.keep(key, text)
        return is_new

    def is_new(self, key: str) -> bool:
        """Mark a subject as reported.

        Args:
            key: The subject.

        Returns:
            Whether nothing of that key was reported before.
        """
        is_new = key not in self._said
        self._said.add(key)
        return is_new

    def withdraw(self, key: str) -> None:
        """Drop the warning of a key from the summary, because it no longer holds."""
        if self._texts.pop(key, None) is not None and self.keep is not None:
            self.keep(key, None)
