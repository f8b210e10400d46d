"""The part of an accountant by which the processes of a run find one another."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from green_callbacks.accountant.ranks.joining import Company, company_of, joined, say_met, say_not_agreed
from green_callbacks.accountant.ranks.part import WHOLE, is_bound_apart
from green_callbacks.accountant.ranks.protocol import OneRank, Parting, Ranks
from green_callbacks.accountant.run.run import Run
from green_callbacks.accountant.setup.trainer_context import TrainerContext

if TYPE_CHECKING:
    from green_callbacks.accountant.setup.options import Settings
    from green_callbacks.accountant.setup.resume import RunState

_LATE: Final = (
    "The processes of torch.distributed were found in epoch %d, after the start of the run, and account for one run "
    "from now on. What each of them has used before stands in its own account. Call init_process_group() before the "
    "accountant starts."
)
_AGAIN: Final = (
    "torch.distributed has a new process group since epoch %d, so its processes account for the run from now on. What "
    "the others have used since their last epoch is not counted."
)


class JoiningRun:
    """The part of an accountant by which the processes of a run find one another, also after the start."""

    _settings: "Settings"
    _state: "RunState"
    _run: Run | None
    _is_resumed: bool
    _company = Company(ranks=OneRank(), is_found=False)

    if TYPE_CHECKING:

        def _hold(self, run: Run) -> object: ...

    def _in_company(self, trainer: TrainerContext, ranks: Ranks | None) -> TrainerContext:
        """Find the processes of a run that starts. Return what the adapter knows, with the processes.

        Args:
            trainer: What the adapter knows otherwise.
            ranks: The processes, if the adapter names them.
        """
        is_off = self._settings.is_off and ranks is None
        self._company = company = company_of(OneRank() if is_off else ranks, self._state.notices)
        return replace(trainer, ranks=company.ranks, part=company.part, is_provisional=company.is_expecting)

    def _go_on(self) -> None:
        """Go on where the run was last closed in this process."""
        if self._run is not None and not self._is_resumed:
            self._state = self._run.leave(self._state)
        last = self._run.ledger if self._run else None
        if last is not None:
            self._state = replace(self._state, ledger=last.path, held=len(self._state.history), predecessor=last)

    def meet_others(self) -> None:
        """Let processes join that have formed a group since the start. Every rank calls this before its epochs."""
        run = self._run
        if run is not None and run.is_live and not run.epochs.is_open:
            self._begin_with_others(run, (self._state.history.last_epoch or -1) + 1)

    def _begin_with_others(self, run: Run, epoch: int) -> Run:
        """Let processes join that have formed a group since the start. Return the run that goes on.

        Args:
            run: The live run.
            epoch: Index of the epoch that is to begin.
        """
        is_first = run.trainer.is_provisional
        found = joined(self._company, run.notices, is_first=is_first)
        if found is not None and not found.is_alone:
            return self._regrouped(run, found, epoch)
        if found is not None:
            self._company = replace(self._company, origin=found.origin)  # and nobody waits for this group again
        elif is_first:
            say_not_agreed(self._company, run.notices)
        return self._definitive(run)

    def _regrouped(self, run: Run, found: Company, epoch: int) -> Run:
        """Go on with other processes than before."""
        before, self._company = self._company, found
        trainer = replace(run.trainer, ranks=found.ranks, part=WHOLE)
        if run.trainer.is_provisional:
            say_met(run.notices)
            return self._definitive(run, replace(trainer, part=run.trainer.part))
        run.notices.say("late ranks", _LATE if before.is_alone else _AGAIN, epoch)
        if isinstance(before.ranks, Parting):
            before.ranks.is_together = False  # the store of the group before may be gone, and nobody waits there
        run.close(together=False)
        self._go_on()
        return self._held(Run.started(self._settings, trainer, self._state))

    def _definitive(self, run: Run, trainer: TrainerContext | None = None) -> Run:
        """Keep and show what a provisional run measures from its start on. Return the run that goes on.

        Args:
            run: The run. It is returned if it is not provisional.
            trainer: What the adapter knows, with the processes that have joined. Defaults to this process alone.
        """
        if not run.trainer.is_provisional or not run.is_live:
            return run
        if trainer is None:  # nobody has joined, so nobody has said to which processors the others are bound
            part = replace(run.trainer.part, counts_bound=is_bound_apart(self._company.place))
            trainer = replace(run.trainer, part=part)
        trainer = replace(trainer, is_provisional=False)
        return self._held(Run.started(self._settings, trainer, self._state, run.handed_over()))

    def _held(self, run: Run) -> Run:
        self._hold(run)
        return run
