"""The losses of the last steps, until they move to the table of the samples.

Losses on an accelerator stay there. A copy to the host begins every few steps and is read at the next time, when it is
long complete, so that no step waits for the accelerator.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_STEPS: Final = 64
"""Number of steps after which visits move to the table. By experiment, counting 64 steps at once costs a tenth of
counting each.
"""
MOST_VISITS: Final = 16_384
"""Number of visits after which they move to the table. They take 13 bytes each until then."""


class Visits(NamedTuple):
    """Visits to samples, in their order.

    Attributes:
        indices: Index of each sample.
        losses: Its loss.
        correct: Whether it was classified correctly. None if training did not say.
    """

    indices: NDArray[np.int64]
    losses: NDArray[np.float32]
    correct: NDArray[np.bool_] | None


class UnfitError(Exception):
    """Values of a step that are no losses of samples. Its text is a sentence with the remedy."""


class PendingVisits:
    """The visits of the last steps.

    Example:
        >>> pending = PendingVisits()
        >>> pending.put([0, 1], [0.5, 0.1])
        >>> [visits.indices.tolist() for visits in pending.take()]
        [[0, 1]]
    """

    def __init__(self) -> None:
        self._steps: list[tuple[Any, Any, Any]] = []
        self._visits = 0
        self._copy: _Copy | None = None

    def put(self, index: Any, losses: Any, correct: Any = None) -> None:
        """Keep the visits of a step.

        Args:
            index: Index of each sample.
            losses: Loss of each sample.
            correct: Whether each sample was classified correctly. Defaults to None, if unknown.

        Raises:
            UnfitError: The values do not fit together.
        """
        step = _integers(index), _numbers(losses), None if correct is None else _truths(correct)
        count = len(step[0])
        step = step[0], _flat(step[1], count, "losses"), None if step[2] is None else _flat(step[2], count, "answers")
        self._visits += count
        self._steps.append(step)

    @property
    def is_due(self) -> bool:
        """Whether enough visits are kept to move them."""
        return len(self._steps) >= MOST_STEPS or self._visits >= MOST_VISITS

    def take(self, *, wait: bool = True) -> list[Visits]:
        """Return visits and forget them.

        Args:
            wait: Whether to wait for copies from an accelerator. If not, their visits are returned the next time.
                Defaults to True.
        """
        ready = [] if self._copy is None else [self._copy.finished()]
        steps, self._steps, self._visits, self._copy = self._steps, [], 0, None
        with_answers = [each for each in steps if each[2] is not None]
        for group in (with_answers, [each for each in steps if each[2] is None]):
            if group:
                self._copy = _Copy(group)
                if wait or self._copy.is_ready or len(with_answers) not in (0, len(steps)):
                    ready.append(self._copy.finished())
                    self._copy = None
        return ready


class _Copy:
    """A copy of the values of several steps to the host, which may still be under way."""

    def __init__(self, steps: Sequence[tuple[Any, Any, Any]]) -> None:
        self._event: Any = None
        self._columns = [None if column[0] is None else self._joined(column) for column in zip(*steps, strict=True)]

    @property
    def is_ready(self) -> bool:
        return self._event is None

    def finished(self) -> Visits:
        if self._event is not None:
            self._event.synchronize()
        indices, losses, correct = (None if each is None else np.asarray(each) for each in self._columns)
        if indices is None or losses is None:
            msg = "a step has an index and losses"
            raise AssertionError(msg)
        known = None if correct is None else correct.astype(np.bool_, copy=False)
        return Visits(indices.astype(np.int64, copy=False), losses.astype(np.float32, copy=False), known)

    def _joined(self, values: Sequence[Any]) -> Any:
        if isinstance(values[0], np.ndarray):
            return np.concatenate(values)
        import torch  # the values are tensors of torch, on an accelerator

        joined = torch.cat(list(values)).to("cpu", non_blocking=True)
        if values[0].is_cuda:
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch does not annotate it
            self._event.record(torch.cuda.current_stream(values[0].device))
        return joined


def _is_elsewhere(value: Any) -> bool:
    """Return whether a value is a tensor of torch on an accelerator."""
    return hasattr(value, "detach") and getattr(getattr(value, "device", None), "type", "cpu") != "cpu"


def _on_host(value: Any) -> Any:
    """Return a tensor of torch as an array, and any other value as it is."""
    return value.detach().numpy() if hasattr(value, "detach") and hasattr(value, "numpy") else value


def _integers(value: Any) -> Any:
    if _is_elsewhere(value):
        kind, value = ("f" if value.is_floating_point() or str(value.dtype) == "torch.bool" else "i"), value.detach()
        is_flat = value.ndim == 1
    else:
        value = np.array(_on_host(value))  # a copy, because loaders may reuse the memory
        kind, is_flat = value.dtype.kind, value.ndim == 1
    if kind not in "iu" or not is_flat:
        msg = (
            "The index of a batch is no list of whole numbers, so its samples are not reported. "
            "Pass the position of each sample in the data set."
        )
        raise UnfitError(msg)
    return value


def _numbers(value: Any) -> Any:
    if hasattr(value, "detach"):
        value = value.detach().float()
        if _is_elsewhere(value):
            return value.clone()  # a view would keep all of its batch alive
    try:
        return np.array(_on_host(value), np.float32)
    except (TypeError, ValueError) as error:
        msg = "The losses of a batch are no numbers, so its samples are not reported. Pass one number for each sample."
        raise UnfitError(msg) from error


def _truths(value: Any) -> Any:
    if hasattr(value, "detach"):
        value = value.detach()
        if _is_elsewhere(value):
            return value.bool()
    return np.array(_on_host(value)).astype(np.bool_)


def _flat(value: Any, count: int, what: str) -> Any:
    """Return one value for each sample.

    Raises:
        UnfitError: There are more or fewer values.
    """
    shape = tuple(value.shape)
    size = 1
    for length in shape:
        size *= length
    if size != count:
        msg = (
            f"A batch has {count} indexes and {what} of shape {shape}, so its samples are not reported. "
            'Compute one for each sample, such as with reduction="none" and a mean over all other dimensions.'
        )
        raise UnfitError(msg)
    return value.reshape(-1)
