"""The state of a run before its start, from a checkpoint, from a ledger, or empty."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, Self

from green_callbacks.accountant.notices import Notices
from green_callbacks.accountant.ranks.torch_group import is_first_of_group
from green_callbacks.errors import ConfigurationError, LedgerError
from green_callbacks.ledger import LedgerContents, RunLedger, is_ledger, read_ledger
from green_callbacks.records import Checkpoints, History, Landing
from green_callbacks.records.landing import decode_landing, encode_landing
from green_callbacks.text import is_plain_name
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

STATE_VERSION: Final = 3
"""Version of the state in checkpoints. Other versions are refused."""
_MOST_STEPS: Final = 2**53
"""Upper limit of the number of steps. Above it, a float64 no longer holds every whole number."""
_LONGEST_PATH: Final = 4096
"""Largest length of a path that a system opens, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """The state of a run before its start, and between a close and the next start.

    Attributes:
        run_id: Name of the run. Empty before its first start.
        ledger: Its file, or None where that is not settled, or turned off.
        held: Number of its records that the file holds, or None where the file is not one of this run yet.
        history: All its records.
        checkpoints: The Pareto checkpoints that are kept, by metric. It changes during the run.
        stop_reason: Why a policy ended it, or None if none did.
        landing: The landing that had begun, or None.
        landed: The landing of the last training, which may be over, or None.
        step: Optimizer steps in the checkpoint that it continues, or None if unknown.
        notices: The warnings of the run. It grows during the run.
        predecessor: The ledger of the previous start in this process, or None if there was none.
        sessions: For each earlier process of the run, the runs of ``green-callbacks run`` inside which it ran.
        hosts: Identity of each machine of earlier processes, by its name.
    """

    run_id: str = ""
    ledger: Path | None = None
    held: int | None = None
    history: History = field(default_factory=History)
    checkpoints: dict[str, Checkpoints] = field(default_factory=dict)
    stop_reason: str | None = None
    landing: Landing | None = None
    landed: Landing | None = None
    step: int | None = None
    notices: Notices = field(default_factory=Notices)
    predecessor: RunLedger | None = None
    sessions: tuple[tuple[str, ...], ...] = ()
    hosts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_ledger(cls, path: Path) -> Self:
        """Go on with the run of a ledger.

        Args:
            path: The file.

        Raises:
            LedgerError: It is not a ledger.
        """
        contents = read_ledger(path)
        return cls(
            run_id=contents.run_id,
            ledger=path.absolute(),
            held=contents.recorded if contents.run_id else None,
            history=contents.history,
            checkpoints=dict(contents.checkpoints),
            stop_reason=contents.stop_reason,
            landing=contents.plan.landing,
            landed=contents.plan.landing,
            notices=Notices(contents.notices),
            sessions=contents.head.sessions if contents.history else (),
            hosts=contents.head.all_hosts,
        )

    def settled(self, run_id: str, folder: Path, ledger: Path | Literal[False] | None) -> Self:
        """Settle name and file, where they are not yet.

        Args:
            run_id: A name for a new run.
            folder: Where ledgers lie unless the user named one.
            ledger: What the user said of the ledger.
        """
        name = self.run_id or run_id
        if ledger is False:
            return replace(self, run_id=name, ledger=None)
        if self.ledger is not None:
            return replace(self, run_id=name)
        path = _free(folder / f"{name}.jsonl") if ledger is None else ledger
        with suppress(OSError):  # of a working folder that is gone, of which the ledger warns
            path = path.absolute()
        return replace(self, run_id=name, ledger=path, held=None)


def encode_state(state: RunState, step: int | None) -> dict[str, Any]:
    """Return the state for a checkpoint, as plain JSON types.

    Args:
        state: The run.
        step: Optimizer steps so far, or None if unknown.
    """
    return {
        "version": STATE_VERSION,
        "run_id": state.run_id,
        "ledger": None if state.ledger is None else str(state.ledger),
        "history": state.history.to_columns(),
        "step": step,
        "landing": state.landing and encode_landing(state.landing),
        "checkpoints": {metric: kept.encode() for metric, kept in list(state.checkpoints.items())},
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointState:
    """The checked state of a run in a checkpoint.

    Attributes:
        run_id: Name of the run. Empty if it had not started.
        ledger: Its file, by what the checkpoint says, or None if it had none.
        history: Its records up to then. Older records may be merged.
        step: Optimizer steps up to then, or None if unknown.
        checkpoints: The checkpoint files that were kept.
        landing: The landing that had begun, or None.
    """

    run_id: str
    ledger: Path | None
    history: History
    step: int | None
    checkpoints: dict[str, Checkpoints]
    landing: Landing | None

    @classmethod
    def decode(cls, state: object) -> Self:
        """Decode the state that :func:`encode_state` returned.

        Args:
            state: What the checkpoint holds, of any kind.

        Raises:
            ConfigurationError: It is of another version, or damaged.
        """
        if not isinstance(state, Mapping):
            _refuse(f"it is a {type(state).__name__}")
        _check_version(state.get("version"))
        run_id, ledger, step = state.get("run_id"), state.get("ledger"), state.get("step")
        if run_id != "" and not is_plain_name(run_id):
            _refuse("its run_id is no plain name")
        if ledger is not None and not (isinstance(ledger, str) and 0 < len(ledger) < _LONGEST_PATH):
            _refuse("its ledger is no path")
        if ledger is not None and not ledger.isprintable():
            _refuse("its ledger is no path")
        if step is not None and not (type(step) is int and 0 <= step < _MOST_STEPS):
            _refuse("its step is no number of steps")
        return cls(
            run_id=str(run_id),
            ledger=None if ledger is None else Path(ledger),
            history=History.from_columns(state.get("history")),  # type: ignore[arg-type]  # it checks the type
            step=step,
            checkpoints=_checkpoints(state.get("checkpoints", {})),
            landing=_landing(state.get("landing")),
        )

    def resumed(self, own: Path | Literal[False] | None) -> RunState:
        """Go on with the run, from its ledger where that is in reach.

        Args:
            own: The file that the user named, or False for no ledger. None continues the ledger of the checkpoint.
        """
        # Files are noted by the positions of their records, which are others where old records are merged.
        kept = {} if self.history.is_thinned else self.checkpoints
        state = RunState(
            run_id=self.run_id,
            history=self.history,
            checkpoints=kept,
            landing=self.landing,
            step=self.step,
            sessions=((),) if self.history else (),  # until the ledger tells more
        )
        if own is False:
            return state
        if own is not None:
            return self._in_own_file(state, own)
        contents = None if self.ledger is None else self._contents(self.ledger, is_needed=True)
        if contents is None or self.ledger is None:
            return state
        taken = self._taken(state, contents)
        if not _is_writable(self.ledger):
            logger.warning(
                "The ledger %s of the checkpoint may not be written to. The run goes on in a file of its own.",
                self.ledger,
            )
            return taken
        return replace(taken, ledger=self.ledger, held=contents.recorded) if self._fits(contents) else taken

    def _in_own_file(self, state: RunState, own: Path) -> RunState:
        """Write to the file that the user named, never to another that a checkpoint names."""
        path = own.absolute()
        if not _may_be_ledger(path):
            path = _free(path)
            logger.warning(
                "%s is not a ledger. The run of the checkpoint goes on in %s. Name a new file with ledger=… to choose "
                "another.",
                own,
                path,
            )
        elif is_ledger(path):
            contents = self._contents(path, is_needed=False)
            if contents is not None and self._fits(contents):
                return replace(self._taken(state, contents), ledger=path, held=contents.recorded)
            path = _free(path)
            logger.warning(
                "The ledger %s belongs to another run than the checkpoint. The run of the checkpoint goes on in %s. "
                "Name a new file with ledger=… to choose another.",
                own,
                path,
            )
        if self.ledger is not None and self.ledger != path:
            contents = self._contents(self.ledger, is_needed=False)
            if contents is not None:
                state = self._taken(state, contents)
        return replace(state, ledger=path, held=None)

    def _contents(self, path: Path, *, is_needed: bool) -> LedgerContents | None:
        """Read a ledger of this run, or None where there is none."""
        try:
            contents = read_ledger(path)
        except LedgerError as reason:
            if is_needed and is_first_of_group():  # other ranks may be on other machines, and keep no records
                logger.warning(
                    "%s The run goes on from the checkpoint. Lost work after it is not counted. In TensorBoard, the "
                    "curve of quality over emissions may go back.",
                    reason,
                )
            return None
        if contents.run_id == self.run_id:
            return contents
        if is_needed:
            logger.warning(
                "The ledger %s belongs to another run than the checkpoint. The run goes on in a file of its own.", path
            )
        return None

    def _fits(self, contents: LedgerContents) -> bool:
        """Return whether the records of the checkpoint fit behind the records of a ledger."""
        return len(contents.history) >= self.history.recorded_rows or not self.history.is_thinned

    def _taken(self, state: RunState, contents: LedgerContents) -> RunState:
        """Take what a ledger holds, unless its writer was killed before it had written all that the checkpoint has."""
        if len(contents.history) < self.history.recorded_rows:
            return state
        return replace(
            state,
            history=contents.history,
            stop_reason=contents.stop_reason,
            landed=contents.plan.landing,
            checkpoints=dict(contents.checkpoints),
            notices=Notices(contents.notices),
            sessions=contents.head.sessions,
            hosts=contents.head.all_hosts,
        )


def _check_version(version: object) -> None:
    if type(version) is not int:
        _refuse("it has no version")
    if version != STATE_VERSION:
        remedy = "Update" if version > STATE_VERSION else "Install that version"
        msg = f"The checkpoint was written by another version of green_callbacks. {remedy} to resume from it."
        raise ConfigurationError(msg)


def _checkpoints(encoded: object) -> dict[str, Checkpoints]:
    if not isinstance(encoded, Mapping):
        _refuse("its checkpoint files are no mapping")
    try:
        return {str(metric): Checkpoints.decode(kept) for metric, kept in encoded.items()}
    except (KeyError, TypeError, ValueError) as reason:
        _refuse("its checkpoint files cannot be", reason)


def _landing(encoded: object) -> Landing | None:
    try:
        return None if encoded is None else decode_landing(encoded)
    except ValueError as reason:
        _refuse("its landing cannot be", reason)


def _refuse(what: str, cause: Exception | None = None) -> NoReturn:
    msg = f"The account in the checkpoint is damaged: {what}. Resume without it, or from another checkpoint."
    raise ConfigurationError(msg) from cause


def _is_writable(path: Path) -> bool:
    """Return whether a file can be appended to. It is opened, because permissions do not show a read-only disk."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_NONBLOCK", 0)))
    except OSError:
        return False
    return True


def _may_be_ledger(path: Path) -> bool:
    """Return whether a run may write to a path, because it holds a ledger or nothing."""
    if not os.path.lexists(path):
        return True
    try:
        read_ledger(path)
    except LedgerError:
        return False
    return True


def _free(path: Path) -> Path:
    """Return the path if nothing is there, or else a free path beside it with a number."""
    if not os.path.lexists(path):
        return path
    names = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    return next(name for name in names if not os.path.lexists(name))
