"""The file of a report on the training data, beside the ledger of its run.

The file is one JSON object in UTF-8, named ``<run id>.data.json``. Its first line holds all totals, so that a reader of
the totals need not read the indices. Fields that are not known are left out. Readers ignore fields that they do not
know.

```
{"format":"green_callbacks data report","version":1,"totals":{"run_id":"20260801T120000-1a2b3c","samples":1400, …},
"indices":{
"known_at_once":[0,1,2, …],
"forgotten":[5, …],
"never_learned":[9, …],
"probably_mislabeled":[9, …],
"duplicates":[[3,8], …],
"conflicting_duplicates":[]
}}
```

# ``totals``

| field | unit or type | meaning |
|---|---|---|
| ``run_id`` | text | Name of the run. |
| ``samples`` | count | Samples that were visited at least once. |
| ``dataset_size`` | count | Samples of the data set. |
| ``visits`` | count | Times that a sample was trained on. |
| ``known_visits`` | count | Visits among them to samples that were known at their three visits before. |
| ``known_by`` | text | How the report tells that a sample is known, as a sentence. |
| ``known_at_once`` | count | Samples known at their second visit at the latest, and never forgotten. |
| ``forgotten`` | count | Samples that were known, and later were not. |
| ``never_learned`` | count | Samples that were known at no visit. |
| ``probably_mislabeled`` | count | Samples whose mean loss stands apart. Absent while it is too early to say. |
| ``copies`` | count | Samples that are equal to another sample. Absent if nobody looked. |
| ``conflicting`` | count | Groups of equal samples whose labels differ. Absent if nobody looked. |
| ``training_joules`` | list of J | Energy of training in the epochs that had ended, and its lower and upper bound. |
| ``known_joules`` | list of J | Energy among it of visits to samples that were known already, and its bounds. |
| ``notes`` | list of text | What could not be done or known, and the remedy. Default: none. |
| ``histogram`` | object | ``edges`` of the mean loss, and the number of samples in each bin, by kind of sample. |
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from green_callbacks.ledger._json_line import fields_of
from green_callbacks.records.checked import (
    MAX_JOULES,
    MAX_TEXT,
    amount,
    count,
    mapping,
    optional_text,
    sequence,
    text,
)
from green_callbacks.small_files import read_beginning

__all__ = ["DataTotals", "data_file_of", "read_data_totals", "write_data_file"]

FORMAT: Final = "green_callbacks data report"
VERSION: Final = 1
"""Version of the format, a count."""
ENDING: Final = ".data.json"

_LONGEST_HEAD: Final = 262_144
"""Longest first line that is read, in bytes. The totals take a few thousand bytes."""
_MOST_NOTES: Final = 50
"""Number of notes that are read. A report has a few."""
_PIECE: Final = 10_000
"""Number of indices that are written at once, so that their text takes little memory."""
_MOST_BINS: Final = 1_000
"""Bins of a histogram that are read, a count. A report has a few dozen."""
_COUNTS: Final = (
    "samples", "dataset_size", "visits", "known_visits", "known_at_once", "forgotten", "never_learned",
    "probably_mislabeled", "copies", "conflicting",
)  # fmt: skip
_ENERGIES: Final = ("training_joules", "known_joules")
_THREE: Final = 3
"""Numbers of an energy, a count: the value and its bounds."""


class DataTotals(NamedTuple):
    """What a report on the training data came to.

    Attributes:
        run_id: Name of the run. Empty without a run.
        samples: Number of samples that were visited.
        visits: Number of visits.
        known_visits: Number of visits to samples that were known at their three visits before.
        dataset_size: Number of samples in the data set. Defaults to None, if unknown.
        known_by: How the report tells that a sample is known, as a sentence. Defaults to None, if it cannot tell.
        known_at_once: Number of samples known at their second visit at the latest, and never forgotten. Defaults to
            None, if unknown.
        forgotten: Number of samples that were known, and later were not. Defaults to None, if unknown.
        never_learned: Number of samples that were known at no visit. Defaults to None, if unknown.
        probably_mislabeled: Number of samples whose mean loss stands apart. Defaults to None, if it is too early to
            say.
        copies: Number of samples that are equal to another sample. Defaults to None, if nobody looked.
        conflicting: Number of groups of equal samples whose labels differ. Defaults to None, if nobody looked.
        training_joules: Energy of training in the reported epochs, with its lower and upper bound, in J. Defaults to
            None, if unknown.
        known_joules: Energy of visits to known samples, with its bounds, in J. Defaults to None, if unknown.
        notes: What could not be done or known. Defaults to none.
        histogram: Edges of the mean loss under ``edges``, and the number of samples in each bin, by kind of sample.
            Defaults to nothing.

    Example:
        >>> DataTotals(run_id="my-run", samples=1400, visits=14_000, known_visits=9_000).forgotten is None
        True
    """

    run_id: str
    samples: int
    visits: int
    known_visits: int
    dataset_size: int | None = None
    known_by: str | None = None
    known_at_once: int | None = None
    forgotten: int | None = None
    never_learned: int | None = None
    probably_mislabeled: int | None = None
    copies: int | None = None
    conflicting: int | None = None
    training_joules: tuple[float, float, float] | None = None
    known_joules: tuple[float, float, float] | None = None
    notes: tuple[str, ...] = ()
    histogram: Mapping[str, tuple[float, ...]] = {}

    @classmethod
    def decode(cls, fields: Mapping[str, Any]) -> Self:
        """Read the totals of a file.

        Args:
            fields: The JSON object.

        Raises:
            ValueError: A field has another type, or is out of range.
        """
        known: dict[str, Any] = {
            "run_id": text(fields.get("run_id", "")),
            "known_by": optional_text(fields.get("known_by"), MAX_TEXT),
            "notes": tuple(text(note, MAX_TEXT) for note in sequence(fields.get("notes", []), _MOST_NOTES)),
        }
        known |= {name: count(fields[name]) for name in _COUNTS if name in fields}
        for name in _ENERGIES:
            if name in fields:
                value, low, high = (amount(each, MAX_JOULES) for each in sequence(fields[name], _THREE))
                known[name] = value, low, high
        known["histogram"] = {
            name: tuple(amount(value, MAX_JOULES) for value in sequence(values, _MOST_BINS))
            for name, values in mapping(fields.get("histogram", {}), _MOST_NOTES).items()
        }
        return cls(**{"samples": 0, "visits": 0, "known_visits": 0, **known})


def data_file_of(ledger: Path) -> Path:
    """Return the path of the report on the data of a run. The file need not exist.

    Args:
        ledger: The ledger of the run.

    Example:
        >>> data_file_of(Path("logs/my-run.jsonl")).as_posix()
        'logs/my-run.data.json'
    """
    return ledger.with_name(ledger.name.removesuffix(".jsonl") + ENDING)


def read_data_totals(path: Path) -> DataTotals | None:
    """Read the totals of a report on the data.

    Args:
        path: Its file.

    Returns:
        None if the file does not exist, cannot be read, or is no such report.

    Example:
        >>> read_data_totals(Path("missing.data.json")) is None
        True
    """
    try:
        head, _, rest = read_beginning(path, _LONGEST_HEAD).partition(b"\n")
        fields = fields_of(head.rstrip().removesuffix(b",") + b"}" if rest else head)
        if fields.get("format") != FORMAT or not isinstance(fields.get("totals"), Mapping):
            return None
        return DataTotals.decode(fields["totals"])
    except (OSError, ValueError):
        return None


def write_data_file(path: Path, totals: DataTotals, indices: Mapping[str, Iterable[Any]]) -> None:
    """Write a report on the data in one step, so that a reader sees the old file or the new file.

    Args:
        path: The file. Its folder is created.
        totals: Totals of the report.
        indices: Positions of samples, or groups of positions, by kind.

    Raises:
        OSError: The file cannot be written, or holds something else.

    Example:
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp(), "my-run.data.json")
        >>> write_data_file(path, DataTotals("my-run", samples=2, visits=2, known_visits=0), {"forgotten": [1]})
        >>> json.loads(path.read_text())["indices"], read_data_totals(path).samples
        ({'forgotten': [1]}, 2)
    """
    path = Path(os.path.realpath(path))  # a link stays, and never raises
    _refuse_other_content(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}-{os.getpid()}.unfinished")
    known = {name: value for name, value in totals._asdict().items() if value not in (None, (), {})}
    head = {"format": FORMAT, "version": VERSION, "totals": known}
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            file.write(json.dumps(head, separators=(",", ":"), allow_nan=False)[:-1] + ',\n"indices":{')
            for number, (name, values) in enumerate(indices.items()):
                file.write(f"{',' if number else ''}\n{json.dumps(name)}:[")
                file.writelines(_texts(values))
                file.write("]")
            file.write("\n}}\n")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _refuse_other_content(path: Path) -> None:
    """Keep files of others, and devices.

    Raises:
        OSError: The file is not empty, and no report.
    """
    try:
        head = read_beginning(path)
    except FileNotFoundError:
        return
    if head.strip() and FORMAT.encode() not in head:
        msg = "it holds something else, which stays"
        raise FileExistsError(msg)


def _texts(values: Iterable[Any]) -> Iterator[str]:
    """Yield the text of a list without its brackets, piece by piece."""
    piece: list[Any] = []
    is_first = True
    for value in values:
        piece.append(value)
        if len(piece) == _PIECE:
            yield ("" if is_first else ",") + json.dumps(piece, separators=(",", ":"))[1:-1]
            piece, is_first = [], False
    if piece:
        yield ("" if is_first else ",") + json.dumps(piece, separators=(",", ":"))[1:-1]
