"""The body of the monitor that ``GREEN_CALLBACKS=1`` adds to a trainer, the same for both import roots."""

import logging
import sys
from typing import Any, Final

from green_callbacks._frameworks.lightning.hooks import LightningHooks
from green_callbacks._frameworks.lightning.import_roots import root_of
from green_callbacks._frameworks.switched_on.rank_agreement import all_ranks_agree
from green_callbacks.accountant.run.live_runs import LIVE_RUNS
from green_callbacks.configuration import SWITCH_VARIABLE
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.text.escape import for_log
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_COMPARING: Final = "_validate_callbacks_list"
"""The function of Lightning that compares the keys of all callbacks of a new trainer."""
_NOT_EVERYWHERE: Final = (
    "%s is not set for every rank, or another run measures some of them. So its monitor measures nothing here. "
    "Set it for all ranks, on every host."
)


class SwitchedOnHooks(LightningHooks):
    """An ``EmissionsMonitor`` that the script does not know, with the options of variables and files.

    It steps aside where the trainer has another monitor, and where another run goes on around the training, such as the
    run of a trainer that trains this one inside an epoch. Then the energy counts there.

    Its state in checkpoints is that of any ``EmissionsMonitor``. So a run may go on with the variable after it began
    with a monitor in the script, and the other way round.

    Example:
        >>> from green_callbacks.lightning import SwitchedOnMonitor
        >>> SwitchedOnMonitor().accountant.is_live
        False
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_alone = False

    @property
    def state_key(self) -> str:  # type: ignore[override]  # Lightning's own is a property, too
        """The key of the state in checkpoints. Before a run begins, it differs from the key of every other monitor.

        Lightning refuses a trainer with two callbacks of one key, before either could step aside. So the function that
        looks for two always gets different keys.
        """
        is_compared = sys._getframe(1).f_code.co_name == _COMPARING  # noqa: SLF001  it is asked in every hook of a step
        return (
            LightningHooks.state_key if self._is_alone and not is_compared else f"{LightningHooks.state_key} {id(self)}"
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the state for the checkpoint. There is none before the first run."""
        return super().state_dict() if self._is_alone else {}

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Begin a run, unless another monitor accounts it. Then leave the trainer for good."""
        monitors = [each for each in trainer.callbacks if isinstance(each, LightningHooks)]
        # Of several that were added, the last is this trainer's. Lightning adds to the list of the script, and a script
        # may pass that list to its next trainer.
        if self is not next((each for each in monitors if not isinstance(each, SwitchedOnHooks)), monitors[-1]):
            logger.info("The trainer has another monitor, so this one of %s steps aside.", SWITCH_VARIABLE)
            # A new list, because Lightning is iterating over the old list.
            trainer.callbacks = [each for each in trainer.callbacks if each is not self]
            return
        self._is_alone = True
        super().setup(trainer, pl_module, stage)

    def _close(self, *, together: bool) -> None:
        trained = self._run.trainer if self._run is not None and self.accountant.is_live else None
        super()._close(together=together)
        if trained is not None and trained.is_global_zero and not logger.isEnabledFor(logging.INFO):
            self._say_totals(trained)

    def _say_totals(self, trainer: Any) -> None:
        """Show the totals where Lightning shows its own messages, because the summary of the run is not shown."""
        run = self.accountant.close()
        if not run.epochs:
            return
        if run.emissions_kg is None or run.facility_kwh is None:
            numbers = "No energy was measured, and `green-callbacks doctor` says why."
        else:
            numbers = f"{format_energy(run.facility_kwh)} and {format_mass(run.emissions_kg)} of CO2e so far."
        where = f" `green-callbacks summary {run.ledger}` tells more." if run.ledger else ""
        name = "lightning.pytorch" if root_of(trainer, "Trainer") == "lightning" else "pytorch_lightning"
        logging.getLogger(name).info("green_callbacks: %s", for_log(f"{numbers}{where}"))

    def _start(self, trainer: Any) -> None:
        around = LIVE_RUNS.on_this_thread()
        is_agreed = all_ranks_agree(trainer, is_so=around is None)
        if around is None and is_agreed:
            super()._start(trainer)
            return
        self._has_begun = True  # the hooks go on, and find no live run to report to
        if around is not None:
            logger.info("Run %s measures this training already, so %s adds no run.", around.run_id, SWITCH_VARIABLE)
        else:
            logger.warning(_NOT_EVERYWHERE, SWITCH_VARIABLE)
