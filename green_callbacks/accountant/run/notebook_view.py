"""An accountant as a notebook shows it."""

from typing import TYPE_CHECKING, cast

from green_callbacks.analysis.totals import totals
from green_callbacks.summary.notebook import run_html

if TYPE_CHECKING:
    from green_callbacks.accountant.energy_accountant import EnergyAccountant
    from green_callbacks.accountant.run.run import Run
    from green_callbacks.accountant.setup.resume import RunState


class AccountantView:
    """The part of an accountant that shows its run in a notebook, up to the last record."""

    _state: "RunState"
    _run: "Run | None"

    def _repr_html_(self) -> str:
        """Return the run as HTML, without a script and without anything from elsewhere."""
        accountant, board = cast("EnergyAccountant", self), self._run.board if self._run else None
        landing = board.plan.landing if board else self._state.landed
        history = accountant.history.copy()  # the training may go on in another thread
        run = totals(
            history,
            accountant.run_id,
            accountant.ledger,
            accountant.stop_reason,
            self._state.notices.texts,
            landing,
        )
        state = "not started yet" if not run.run_id else "running" if accountant.is_live else ""
        monitor, mode = (board.monitor, board.mode) if board else (None, "max")
        return run_html(run, history, state=state, monitor=monitor, mode=mode)
