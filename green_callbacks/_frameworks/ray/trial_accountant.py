"""The accountant of one trial of Ray Tune."""

import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Unpack

from ray import tune

from green_callbacks.accountant import AccountantOptions, EnergyAccountant
from green_callbacks.accountant.shared_budgets.trial_folder import STARTED_IN
from green_callbacks.ledger.project_ledgers import FOLDER
from green_callbacks.policies import CarbonBudget, Decision, Policy
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

TRIAL: Final = "ray_trial"
_RELATIVE_FILE: Final = re.compile(r"^\s*(sqlite[^:]*:///)(?![/~:])")


class TrialAccountant(EnergyAccountant):
    """The accountant of a trial, which never goes on with the run of another trial."""

    @property
    def trial_id(self) -> str:
        """Id of the trial."""
        return str((self._options.get("labels") or {}).get(TRIAL, ""))

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint, with the trial."""
        return {**super().state_dict(), TRIAL: self.trial_id}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue the run of a checkpoint, unless another trial has written the checkpoint.

        Args:
            state: The value that :meth:`state_dict` returned.
        """
        writer = state.get(TRIAL, self.trial_id) if isinstance(state, Mapping) else self.trial_id
        if writer == self.trial_id:
            super().load_state_dict(state)
            return
        logger.info(
            "The checkpoint is of trial %s. Its spending stays there, and trial %s counts its own.",
            writer,
            self.trial_id,
        )


def trial_accountant(folder: str | os.PathLike[str] = FOLDER, **options: Unpack[AccountantOptions]) -> EnergyAccountant:
    """Return an accountant for the trial of Ray Tune in which this is called.

    Each trial has one ledger, named after the trial, in one folder for all trials. A restarted trial goes on with its
    ledger, also without a checkpoint. A trial that starts from a checkpoint of another trial keeps a run of its own.
    The ledger has the label ``ray_trial``.

    Ray runs a trial in a working folder of its own, which may be deleted later. So relative folders count from the
    folder in which Ray started the worker. That also holds for the project and the SQLite file of a ``CarbonBudget``.

    Args:
        folder: Folder of the ledgers. On a cluster, name a folder that all nodes share. Defaults to
            ``green-callbacks``.
        **options: Options of the accountant, see :class:`green_callbacks.AccountantOptions`. ``ledger=`` overrides the
            folder.

    Returns:
        The accountant. Outside a trial it is an ordinary accountant with the given options.

    Raises:
        ConfigurationError: An option cannot work.

    Example:
        >>> trial_accountant(location="DE").is_live
        False
    """
    trial_id = _trial_id()
    if not trial_id:
        logger.warning(
            "trial_accountant() was called outside a trial of Ray Tune. The run is not tied to a trial. Call it in the "
            "function that Ray runs."
        )
        return EnergyAccountant(**options)
    start = Path(os.environ.get(STARTED_IN, ".")).absolute()
    options["labels"] = {**(options.get("labels") or {}), TRIAL: trial_id}
    if options.get("ledger") is None:
        options["ledger"] = start / Path(folder).expanduser() / f"{trial_id}.jsonl"
    if options.get("policies"):
        options["policies"] = [_from(start, policy) for policy in options["policies"]]
    return TrialAccountant(**options)


def _from(start: Path, policy: Policy | Decision) -> Policy | Decision:
    """Return a policy whose relative project and SQLite file count from the folder in which Ray started the worker."""
    if not isinstance(policy, CarbonBudget) or policy.project is None:
        return policy
    registry = policy.registry and _RELATIVE_FILE.sub(lambda match: f"{match[1]}{start}/", policy.registry)
    return replace(policy, project=start / policy.project, registry=registry)


def _trial_id() -> str:
    """Return the id of the trial, or an empty text outside a trial."""
    with warnings.catch_warnings():  # Ray's warning does not say what follows from it
        warnings.simplefilter("ignore")
        found = tune.get_context().get_trial_id()
    return found if isinstance(found, str) else ""
