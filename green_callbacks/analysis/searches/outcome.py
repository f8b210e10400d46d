"""How a trial of a search ended, in a small file beside the ledger of its run.

The ledger of a run knows why its training stopped. It does not know whether the search took the trial for complete, for
pruned or for failed, and it does not know the value of the trial.
"""

import json
import os
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Final, Literal, Self, get_args

from green_callbacks.small_files import LIST_BYTES, read_whole
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

SUFFIX: Final = ".outcome.json"
"""End of the name of such a file, in place of the end of the ledger's name.

Example:
    >>> Path("trial-00001.jsonl").with_suffix(SUFFIX).name
    'trial-00001.outcome.json'
"""

State = Literal["complete", "pruned", "failed", "unfinished"]
"""What a search takes a trial for. An unfinished trial still runs, or was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a trial ended.

    Example:
        >>> Outcome(study="digits", trial=7, state="pruned").values
        ()

    Attributes:
        study: Name of the study.
        trial: Number of the trial.
        state: What the search takes the trial for.
        reason: Why, as a sentence. Defaults to None, for no reason.
        values: The values of the objectives, first of the objective of quality. Defaults to none.
        rises: For each objective, whether more of it is better. Defaults to none.
        began: When the trial began, as text. It tells trials of one number apart. Defaults to an empty text.
    """

    study: str
    trial: int
    state: State
    reason: str | None = None
    values: tuple[float, ...] = ()
    rises: tuple[bool, ...] = ()
    began: str = ""

    @classmethod
    def read(cls, ledger: Path) -> Self | None:
        """Return the outcome beside a ledger. None if there is none, or if it is damaged.

        Args:
            ledger: The ledger.
        """
        try:
            said = json.loads(read_whole(ledger.with_suffix(SUFFIX), LIST_BYTES))
            values, rises = (tuple(said.get(name, ())) for name in ("values", "rises"))
            found = cls(
                study=str(said["study"]),
                trial=int(said["trial"]),
                state=said["state"],
                reason=said.get("reason"),
                values=tuple(float(value) for value in values),
                rises=tuple(bool(each) for each in rises),
                began=str(said.get("began", "")),
            )
        # A number may be too large for a computer, and a hostile file may be nested too deeply.
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            return None
        return found if found.state in get_args(State) and len(found.values) <= len(found.rises) else None

    def write(self, ledger: Path) -> OSError | None:
        """Write the outcome beside a ledger, in one step, so that no reader finds half of it.

        Args:
            ledger: The ledger.

        Returns:
            None, or the error of a folder that cannot be written.
        """
        path = ledger.with_suffix(SUFFIX)
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        said = asdict(self)
        said["values"] = self.values if all(map(isfinite, self.values)) else ()  # JSON has no NaN
        try:
            fresh.write_text(json.dumps(said), encoding="utf-8")
            fresh.replace(path)
        except OSError as failure:
            fresh.unlink(missing_ok=True)
            return failure
        return None
