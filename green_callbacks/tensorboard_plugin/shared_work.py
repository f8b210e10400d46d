"""Does each piece of work once, however many requests wait for it, and only a few pieces at the same time."""

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

__all__ = ["SharedWork"]

_Result = TypeVar("_Result")


class SharedWork(Generic[_Result]):
    """Lets requests that ask the same question at the same time share its answer.

    Args:
        most: Largest number of answers that are worked out at the same time. Other questions wait.

    Example:
        >>> SharedWork(2).result("question", lambda: "answer", wait_seconds=1.0)
        'answer'
    """

    def __init__(self, most: int) -> None:
        self._places = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._asked: dict[Hashable, Future[_Result]] = {}

    def result(self, question: Hashable, work: Callable[[], _Result], wait_seconds: float) -> _Result:
        """Return the answer to a question.

        Args:
            question: Names the question.
            work: Works out the answer, unless another request already does.
            wait_seconds: Longest time to wait for another request, in s.

        Raises:
            TimeoutError: The other requests have taken longer than that.
            Exception: Whatever the work raises, for all that wait for it.
        """
        with self._lock:
            known = self._asked.get(question)
            future = self._asked.setdefault(question, Future())
        if known is not None:
            return known.result(wait_seconds)
        try:
            future.set_result(self._in_turn(work, wait_seconds))
        except BaseException as reason:
            future.set_exception(reason)
            raise
        finally:
            with self._lock:
                del self._asked[question]
        return future.result()

    def _in_turn(self, work: Callable[[], _Result], wait_seconds: float) -> _Result:
        if not self._places.acquire(timeout=wait_seconds):
            msg = "Other questions have taken too long. Ask again later."
            raise TimeoutError(msg)
        try:
            return work()
        finally:
            self._places.release()
