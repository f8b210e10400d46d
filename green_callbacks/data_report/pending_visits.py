"""The losses of the last steps, until they move to the table of the samples.

A step only keeps its tensors. Every few steps, they are joined and checked together, which costs far less. Losses on an
accelerator stay there until then. Their copy to the host is read at the next time, when it is long complete, so that no
step waits for the accelerator.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_STEPS: Final = 256
"""Number of steps after which visits move to the table. By experiment, counting 256 small steps at once costs a fifth
of keeping them.
"""
MOST_VISITS: Final = 16_384
"""Number of visits after which they move to the table. They take 12 or 13 bytes each until then."""

_NO_INDEX: Final = (
    "The index of a batch is no list of whole numbers, so its samples are not reported. "
    "Pass the position of each sample in the data set."
)
_NO_NUMBERS: Final = (
    "The losses of a batch are no numbers, so its samples are not reported. Pass one number for each sample."
)
_OTHER_SHAPE: Final = (
    "A batch has {} indices and {} of shape {}, so its samples are not reported. "
    'Compute one for each sample, such as with reduction="none" and a mean over all other dimensions.'
)
_NO_ANSWERS: Final = (
    "The answers of a batch are neither true nor false, so its samples are not reported. "
    "Pass whether each sample was classified correctly, such as predicted == labels."
)
_SHORT_FLOATS: Final = ("bfloat16", "float8_e4m3fn", "float8_e5m2")
"""Names of types that JAX and TensorFlow add to NumPy, which calculates with none of them."""
_Step = tuple[Any, Any, Any]


_TABLE: Final = 2
"""Number of dimensions of a table."""


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


class _UnfitError(Exception):
    """Values of a step that are no losses of samples. Its text is a sentence with the remedy."""


class PendingVisits:
    """The visits of the last steps.

    Args:
        refuse: Called with a sentence if the values of a step do not fit together.

    Attributes:
        copies_values: Whether to copy each index and each loss. The loader may reuse or share the memory of an index,
            and a loop may change losses in place.

    Example:
        >>> pending = PendingVisits(refuse=print)
        >>> pending.put([0, 1], [0.5, 0.1])
        False
        >>> [visits.indices.tolist() for visits in pending.take()]
        [[0, 1]]
    """

    def __init__(self, refuse: Callable[[str], object]) -> None:
        self.copies_values = True
        self._refuse = refuse
        self._steps: list[_Step] = []
        self._visits = 0
        self._copy: _Copy | None = None

    def put(self, index: Any, losses: Any, correct: Any = None) -> bool:
        """Keep the visits of a step. This takes about 2 µs, because a step should not wait.

        Args:
            index: Index of each sample.
            losses: Loss of each sample.
            correct: Whether each sample was classified correctly. Defaults to None, if unknown.

        Returns:
            Whether enough visits are kept to move them.
        """
        try:
            if losses.requires_grad:
                losses = losses.detach()
            if self.copies_values or not losses.is_cpu:
                losses, index = losses.clone(), index.clone()
            self._visits += index.shape[0]
        except (AttributeError, IndexError):  # no tensors of torch, or a number
            index, losses = _kept(index), _kept(losses)
            self._visits += index.size if isinstance(index, np.ndarray) else 1
        self._steps.append((index, losses, None if correct is None else _kept(correct)))
        return len(self._steps) >= MOST_STEPS or self._visits >= MOST_VISITS

    def take(self, *, wait: bool = True) -> list[Visits]:
        """Return visits and forget them.

        Args:
            wait: Whether to wait for copies from an accelerator. If not, their visits are returned the next time.
                Defaults to True.
        """
        ready = [] if self._copy is None else [self._copy.finished()]
        steps, self._steps, self._visits, self._copy = self._steps, [], 0, None
        for group in _alike(self._fit(steps)):
            if self._copy is not None:
                ready.append(self._copy.finished())
            self._copy = _Copy(group)
        if self._copy is not None and (wait or self._copy.is_ready):
            ready.append(self._copy.finished())
            self._copy = None
        return ready

    def _fit(self, steps: list[_Step]) -> list[_Step]:
        """Return the steps whose values fit together. Refuse the others."""
        if _all_fit(steps):
            return steps
        fit: list[_Step] = []
        for step in steps:
            try:
                fit.append(step if _fits(step) else _made_fit(step))
            except _UnfitError as unfit:
                self._refuse(str(unfit))
        return fit


class _Copy:
    """A copy of the values of several steps to the host, which may still be under way."""

    def __init__(self, steps: Sequence[_Step]) -> None:
        self._event: Any = None
        self._columns = [None if column[0] is None else self._joined(column) for column in zip(*steps, strict=True)]

    @property
    def is_ready(self) -> bool:
        return self._event is None

    def finished(self) -> Visits:
        if self._event is not None:
            self._event.synchronize()
        indices, losses, correct = self._columns
        return Visits(
            np.asarray(_on_host(indices)).astype(np.int64, copy=False),
            _as_float32(np.asarray(_on_host(losses))),
            None if correct is None else np.asarray(_on_host(correct)).astype(np.bool_, copy=False),
        )

    def _joined(self, values: Sequence[Any]) -> Any:
        if isinstance(values[0], np.ndarray):
            return np.concatenate(values)
        torch = sys.modules["torch"]  # the values are its tensors
        joined = torch.cat(list(values))
        joined = joined.float() if joined.is_floating_point() else joined
        if joined.is_cuda:
            joined = joined.to("cpu", non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record(torch.cuda.current_stream(values[0].device))
        return joined.cpu()


def _kept(value: Any) -> Any:
    """Return a copy, because loaders may reuse the memory of values."""
    if hasattr(value, "requires_grad"):
        return value.detach().clone()
    try:
        array = np.array(value)
        return array.astype(np.float32) if array.dtype.name in _SHORT_FLOATS else array
    except (TypeError, ValueError):  # such as lists of unlike lengths
        return np.array(None)


def _all_fit(steps: list[_Step]) -> bool:
    """Return whether all steps are tensors of torch that fit together, without ``correct``. This is fast."""
    index, losses, correct = zip(*steps, strict=True) if steps else ((), (), ())
    if not steps or any(each is not None for each in correct) or isinstance(index[0], np.ndarray):
        return False
    shapes = [each.shape for each in index]
    kinds = {(type(i), i.dtype, type(j), j.dtype) for i, j in zip(index, losses, strict=True)}
    is_flat = all(len(shape) == 1 for shape in shapes)
    return len(kinds) == 1 and is_flat and shapes == [each.shape for each in losses] and _fits(steps[0])


def _fits(step: _Step) -> bool:
    """Return whether all values of a step are lists of one length and of the right type, all of them tensors or not."""
    index, losses, correct = step
    shape = index.shape
    return (
        type(index) is type(losses)
        and len(shape) == 1
        and shape == losses.shape
        and _kind(index) in "iu"
        and _kind(losses) == "f"
        and (correct is None or (type(correct) is type(index) and correct.shape == shape and _kind(correct) == "b"))
    )


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return str(value.dtype.kind)
    return "f" if value.is_floating_point() else "b" if str(value.dtype) == "torch.bool" else "i"


def _made_fit(step: _Step) -> _Step:
    """Return a step as arrays of one length.

    Raises:
        _UnfitError: Its values are of another type or number.
    """
    index, losses, correct = (None if each is None else np.asarray(_on_host(each)) for each in step)
    if index is not None and index.ndim == _TABLE and index.shape[1] == 1:
        index = index[:, 0]  # Keras and JAX may return columns
    if index is None or index.ndim != 1 or (index.dtype.kind not in "iu" and index.size):
        raise _UnfitError(_NO_INDEX)
    if losses is None or losses.dtype.kind not in "iuf":
        raise _UnfitError(_NO_NUMBERS)
    for values, what in ((losses, "losses"), (correct, "answers")):
        if values is not None and values.size != len(index):
            raise _UnfitError(_OTHER_SHAPE.format(len(index), what, values.shape))
    if correct is not None and not np.isin(correct, (0, 1)).all():
        raise _UnfitError(_NO_ANSWERS)
    answers = None if correct is None else correct.reshape(-1).astype(np.bool_)
    return index.astype(np.int64), _as_float32(losses.reshape(-1)), answers


def _alike(steps: Sequence[_Step]) -> list[list[_Step]]:
    """Return groups of steps in their order, each of one kind of values on one device."""
    groups: list[list[_Step]] = []
    last: object = None
    for step in steps:
        kind = [None if each is None else (type(each), getattr(each, "device", None)) for each in step]
        if not groups or kind != last:
            groups.append([])
        last = kind
        groups[-1].append(step)
    return groups


def _as_float32(losses: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # a loss that is too large becomes infinite, which is counted
        return losses.astype(np.float32, copy=False)


def _on_host(value: Any) -> Any:
    """Return a tensor of torch as an array, and any other value as it is."""
    if not hasattr(value, "requires_grad"):
        return value
    value = value.detach().cpu()
    return (value.float() if value.is_floating_point() else value).numpy()
