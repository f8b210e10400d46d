"""Checks of single options. An option that cannot work is refused with the remedy."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from green_callbacks.accountant.energy.observations import MAX_FLOPS
from green_callbacks.accountant.setup.counts_per_sample import CountsPerSample
from green_callbacks.clock import Clock
from green_callbacks.configuration import checked_labels
from green_callbacks.errors import ConfigurationError
from green_callbacks.sinks.folder_checks import file_in_the_way
from green_callbacks.units import described

_MOST_SAMPLES: Final = 2**53
"""Upper limit of counts. Above it, a float64 no longer holds every whole number."""

T = TypeVar("T")


def listed(name: str, example: str, given: object) -> Sequence[Any]:
    """Return an option that must be a list.

    Args:
        name: Name of the option.
        example: An example of a value.
        given: The value that the user gave.

    Raises:
        ConfigurationError: The value has the wrong type.
    """
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        msg = f"{name}= takes a list, not {described(given)}. Write {name}=[{example}], or {name}=[] for none."
        raise ConfigurationError(msg)
    return given


def objects(name: str, kind: type[T], example: str, given: object) -> tuple[T, ...] | None:
    """Return an option that is a list of objects of a kind, or None if it was not given.

    Args:
        name: Name of the option.
        kind: Their class.
        example: An example of an object.
        given: The value that the user gave.

    Raises:
        ConfigurationError: The value is no list, or holds another type.
    """
    if given is None:
        return None
    found = listed(name, example, given)
    for each in found:
        if isinstance(each, type):
            msg = f"{name}= holds the class {each.__name__}. Pass an object of it, {each.__name__}(...)."
            raise ConfigurationError(msg)
        if not isinstance(each, kind):
            msg = f"{name}= takes a list of {kind.__name__} objects, such as {example}, not {described(each)}."
            raise ConfigurationError(msg)
    if len({id(each) for each in found}) < len(found):
        msg = f"{name}= holds the same object twice, which would count twice. Name it once."
        raise ConfigurationError(msg)
    return tuple(found)


def one(name: str, kind: type[T], example: str, given: object) -> T | None:
    """Return an option that is one object of a kind, or None if it was not given.

    Args:
        name: Name of the option.
        kind: Its class.
        example: An example of a value.
        given: The value that the user gave.

    Raises:
        ConfigurationError: The value has another type.
    """
    if given is None or isinstance(given, kind):
        return given
    what = "text" if kind is str else kind.__name__
    msg = f"{name}= takes a {what}, such as {name}={example}, not {described(given)}."
    raise ConfigurationError(msg)


def flag(name: str, given: object) -> bool:
    """Return an option that is True or False, or False if it was not given."""
    if given is not None and not isinstance(given, bool):
        msg = f"{name}= takes True or False, not {described(given)}."
        raise ConfigurationError(msg)
    return bool(given)


def clock(given: Any, otherwise: Callable[[], Clock]) -> Clock:  # noqa: ANN401  that is the question
    """Return the clock that was given.

    Args:
        given: The clock that the user gave, or None.
        otherwise: Makes the default clock.

    Raises:
        ConfigurationError: The value has the wrong type.
    """
    if given is None:
        return otherwise()
    if isinstance(given, type) or not all(callable(getattr(given, name, None)) for name in ("monotonic", "now")):
        msg = f"clock= takes an object with monotonic() and now(), such as SystemClock(), not {described(given)}."
        raise ConfigurationError(msg)
    checked: Clock = given
    return checked


def labels(given: object) -> dict[str, str]:
    """Return the labels that the user gives a run."""
    return {} if given is None else checked_labels(given, "labels=")


def ledger(given: object) -> Path | Literal[False] | None:
    """Return the path of a ledger, False for none, None for the usual one."""
    if given is None or given is False:
        return given
    wanted = os.fspath(given) if isinstance(given, str | os.PathLike) else None
    if not isinstance(wanted, str) or not wanted.strip() or "\0" in wanted:
        msg = f"ledger= takes the path of a file, or False for none, not {described(given)}."
        raise ConfigurationError(msg)
    if "://" in wanted:
        msg = f"ledger= takes a file on this machine, not {described(wanted)}. Leave it out, or name a local one."
        raise ConfigurationError(msg)
    path = Path(os.path.expanduser(wanted))  # noqa: PTH111  Path's raises where there is no home
    if os.path.isdir(path) or wanted.endswith(("/", os.sep)):  # noqa: PTH112  never raises
        msg = f"ledger= names the folder {described(wanted)}. Name a file in it, such as run.jsonl."
        raise ConfigurationError(msg)
    blocked = file_in_the_way(path)
    if blocked is not None:
        msg = f"ledger= names a file in {described(str(blocked))}, which is a file itself. Name a folder."
        raise ConfigurationError(msg)
    with suppress(OSError):  # of a working folder that is gone
        path = path.absolute()  # the working folder may change until the start
    return path


def working_folder() -> str:
    """Return the working folder, or an empty text if it is gone."""
    with suppress(OSError):
        return os.getcwd()  # noqa: PTH109  it stays a text
    return ""


def samples(given: object) -> int | None:
    """Return a number of training samples of an epoch, or None if it was not given."""
    if given is not None and (not isinstance(given, int) or isinstance(given, bool) or not 0 < given < _MOST_SAMPLES):
        msg = f"samples_per_epoch= takes a number of samples above 0, such as 50_000, not {described(given)}."
        raise ConfigurationError(msg)
    return given


def counts_per_sample(tokens: object, flops: object) -> CountsPerSample:
    """Return the tokens and operations of a sample.

    Args:
        tokens: Number of tokens as the user gave it. None if it was not given.
        flops: Number of floating-point operations as the user gave it. None if it was not given.

    Raises:
        ConfigurationError: One of them is no number above 0.
    """
    return CountsPerSample(
        _per_sample("tokens_per_sample", "tokens in a sample, such as 512", tokens, _MOST_SAMPLES),
        _per_sample("flops_per_sample", "floating-point operations for a sample, such as 1.2e10", flops, MAX_FLOPS),
    )


def _per_sample(name: str, what: str, given: object, most: float) -> float | None:
    if given is None:
        return None
    is_number = isinstance(given, float | int) and not isinstance(given, bool)
    if not isinstance(given, float | int) or not (is_number and 0 < given < most):  # NaN is not above 0 either
        msg = f"{name}= takes the number of {what}, above 0, not {described(given)}."
        raise ConfigurationError(msg)
    return float(given)
