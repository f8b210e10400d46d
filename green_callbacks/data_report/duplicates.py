"""Exact duplicates in a data set, by an explicit pass over it."""

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from green_callbacks.data_report.indexed import INDEX, Indexed, parts_of
from green_callbacks.errors import ConfigurationError

LABEL_KEYS: Final = ("label", "labels", "target", "targets", "y")
"""Keys of labels in samples that are mappings."""
_DIGEST_BYTES: Final = 16
"""Length of a hash, in bytes. Among a billion samples, two different samples share a hash with probability 1e-21."""
_PROBES: Final = 32
"""Number of samples that are read twice, to see whether the data set changes them at random. A change of each second
sample stays unseen in one of ten thousand passes.
"""
_PAIR: Final = 2
"""Number of elements of a sample that is an input and its label."""
_PALETTE: Final = "P"
"""First letter of the modes of images whose bytes are places in a palette."""
_CONTAINER: Final = b"("
_END: Final = b")"


class Duplicates(NamedTuple):
    """Samples that are equal, byte by byte.

    Attributes:
        groups: Positions of equal samples, in rising order, for each sample that is there more than once.
        conflicting: The groups among them whose labels differ.

    Example:
        >>> Duplicates(groups=((0, 7), (3, 4, 9))).copies
        3
    """

    groups: tuple[tuple[int, ...], ...] = ()
    conflicting: tuple[tuple[int, ...], ...] = ()

    @property
    def copies(self) -> int:
        """Number of samples that could be left out, because an equal sample stays."""
        return sum(len(group) - 1 for group in self.groups)


def find_duplicates(dataset: Any, split: Callable[[Any], tuple[Any, Any]] | None = None) -> Duplicates:
    """Find samples that are equal, byte by byte, in one pass over a data set.

    Pass the data set without augmentation, because a training loop sees changed copies. The pass reads every sample
    once, and takes as long as an epoch without training. It needs about 150 bytes of memory a sample while it runs.

    Args:
        dataset: A data set with positions. An :class:`Indexed` data set is unwrapped.
        split: Returns the input and the label of a sample. Defaults to the two elements of a pair. In a mapping, the
            label is what is under ``label``, ``labels``, ``target``, ``targets`` or ``y``, and the input is the rest
            without ``index``. Any other sample is an input without a label, except for a longer tuple or list.

    Returns:
        The groups of equal inputs.

    Raises:
        ConfigurationError: The data set has no positions, changes its samples at random, or holds objects whose bytes
            are not known. A sample has more than two elements, and nothing tells which of them is the label.

    Example:
        >>> find_duplicates([("cat.png", 0), ("dog.png", 1), ("cat.png", 1)])
        Duplicates(groups=((0, 2),), conflicting=((0, 2),))
    """
    data = Indexed(dataset.dataset if isinstance(dataset, Indexed) else dataset).dataset
    parts, count = split or (_parts_before_index if parts_of(data) else _parts), len(data)
    for position in {count * probe // _PROBES for probe in range(_PROBES)} if count else ():
        if _digest(parts(data[position])) != _digest(parts(data[position])):
            msg = (
                f"The data set returns another sample {position} each time, so no duplicates can be found. "
                "Pass the data set without random augmentation."
            )
            raise ConfigurationError(msg)
    first = dict[bytes, int]()
    found = dict[bytes, list[int]]()
    labels = dict[int, bytes]()
    for position in range(count):
        sample, label = parts(data[position])
        digest = _digest(sample)
        labels[position] = _digest(label)
        if first.setdefault(digest, position) != position:
            found.setdefault(digest, [first[digest]]).append(position)
    groups = tuple(sorted(tuple(group) for group in found.values()))
    return Duplicates(groups, tuple(group for group in groups if len({labels[each] for each in group}) > 1))


def _parts(sample: Any) -> tuple[Any, Any]:
    if isinstance(sample, Mapping):
        label = {key: value for key, value in sample.items() if key in LABEL_KEYS}
        left_out = {INDEX, *LABEL_KEYS}
        return {key: value for key, value in sample.items() if key not in left_out}, label
    if isinstance(sample, tuple | list) and len(sample) == _PAIR:
        return sample[0], sample[1]
    if isinstance(sample, tuple | list) and len(sample) > _PAIR:
        msg = (
            f"A sample has {len(sample)} elements, and nothing tells which of them is the label. "
            "Pass split=, such as lambda sample: (sample[:-1], sample[-1])."
        )
        raise ConfigurationError(msg)
    return sample, None


def _parts_before_index(sample: Any) -> tuple[Any, Any]:
    """Return the parts of a sample from a subset of an :class:`Indexed` data set."""
    if isinstance(sample, tuple | list):
        sample = sample[:-1] if len(sample) > _PAIR else sample[0]
    return _parts(sample)


def _digest(value: Any) -> bytes:
    hashed = blake2b(digest_size=_DIGEST_BYTES)
    for piece in _pieces(value):
        hashed.update(piece)
    return hashed.digest()


def _pieces(value: Any) -> Iterable[bytes]:
    """Yield the bytes of a value, with its kind and shape.

    Raises:
        ConfigurationError: The bytes of the value are not known.
    """
    if value is None or isinstance(value, str | bytes | bool | int | float | complex):
        content = value if isinstance(value, bytes) else repr(value).encode("utf-8", "surrogatepass")
        yield f"{type(value).__name__}:{len(content)}:".encode()
        yield content
    elif isinstance(value, Mapping | tuple | list):
        yield _CONTAINER
        members = sorted(value.items(), key=lambda item: str(item[0])) if isinstance(value, Mapping) else value
        for member in members:
            yield from _pieces(member)
        yield _END
    elif hasattr(value, "shape"):
        yield from _array_pieces(value)
    elif hasattr(value, "tobytes") and hasattr(value, "mode"):  # an image of Pillow
        yield f"{value.mode}{value.size}".encode()
        yield value.tobytes()
        if value.mode.startswith(_PALETTE):
            yield from _pieces(value.getpalette())
    else:
        raise ConfigurationError(_unknown_bytes(value))


def _array_pieces(value: Any) -> Iterable[bytes]:
    import numpy as np

    try:
        host = value.detach().cpu().resolve_conj().resolve_neg() if hasattr(value, "detach") else value
        kind = str(host.dtype)
        array = np.ma.getdata(host.float() if kind == "torch.bfloat16" else host)
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:  # such as of a sparse tensor
        raise ConfigurationError(_unknown_bytes(value)) from error
    if array.dtype.hasobject and not array.shape:  # such as of a sparse matrix
        raise ConfigurationError(_unknown_bytes(value))
    if array.dtype.hasobject:
        yield f"{array.shape}".encode()
        yield from _pieces(array.tolist())
        return
    yield f"{kind}{array.shape}".encode()
    yield np.ascontiguousarray(array).tobytes()
    if np.ma.isMaskedArray(value):
        yield from _array_pieces(np.ma.getmaskarray(value))


def _unknown_bytes(value: object) -> str:
    return (
        f"The bytes of a {type(value).__name__} are not known, so no duplicates can be found. "
        "Pass split=, which returns arrays, numbers or text of a sample, and its label."
    )
