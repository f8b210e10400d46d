"""What a run cannot do, each said once: as a warning when it becomes known, and again in its summary."""

from collections.abc import Callable, Mapping
from typing import Final

from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_MOST: Final = 50
"""So many sentences of a run are kept; more are of one kind, by mistake."""


class Notices:
    """Sentences for the user of a run, in the order in which they were said.

    Each names what cannot act, be measured or be kept, and the remedy.

    Args:
        before: Sentences of earlier processes of the run by their keys. They are repeated in its summary, and said
            again where they still hold. Defaults to none.
    """

    def __init__(self, before: Mapping[str, str] | None = None) -> None:
        self._texts: dict[str, str] = dict(before or {})
        self._said: set[str] = set()
        self.keep: Callable[[str, str | None], object] | None = None
        """Keeps a sentence in the ledger, or withdraws it (None); None where there is no ledger."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The sentences."""
        return tuple(self._texts.values())

    @property
    def by_key(self) -> dict[str, str]:
        """The sentences by what they are about."""
        return dict(self._texts)

    def say(self, key: str, message: str, *arguments: object, cause: BaseException | None = None) -> None:
        """Log a warning, and keep it for the summary; does nothing if one of that key was said.

        Args:
            key: What it is about.
            message: The sentence or two, for the ``%`` operator.
            *arguments: What to fill in.
            cause: An exception whose traceback belongs to it. Defaults to none.
        """
        if self.note(key, message, *arguments):
            logger.warning(message, *arguments, exc_info=cause)

    def note(self, key: str, message: str, *arguments: object) -> bool:
        """Keep for the summary what is logged elsewhere; does nothing if it holds one of that key.

        What was withdrawn, and holds again, is kept again, and is not new.

        Args:
            key: What it is about.
            message: The sentence or two, for the ``%`` operator.
            *arguments: What to fill in.

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
        """Take as said what the summary says anyhow.

        Args:
            key: What it is about.

        Returns:
            Whether nothing of that key was said before.
        """
        is_new = key not in self._said
        self._said.add(key)
        return is_new

    def withdraw(self, key: str) -> None:
        """Drop what was said of a key from the summary, since it no longer holds; does nothing if nothing was."""
        if self._texts.pop(key, None) is not None and self.keep is not None:
            self.keep(key, None)
