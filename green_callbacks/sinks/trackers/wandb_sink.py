"""The sink for Weights & Biases."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.sinks.scalars import DETAIL, MAIN
from green_callbacks.sinks.trackers.run_facts import RUN_ID
from green_callbacks.sinks.trackers.tracker_run import Fact, Place, TrackerRun
from green_callbacks.sinks.trackers.tracker_sink import TrackerSink
from green_callbacks.text.log import get_logger
from green_callbacks.units import described

logger = get_logger(__name__)

_EPOCH: Final = f"{MAIN}epoch"
_SHARED: Final = "shared"
"""Mode of W&B in which several processes write to one run, whose steps need no order."""


class WandbSink(TrackerSink):
    """Writes to the W&B run that is open. It never opens a run, and it does not import W&B.

    The sink takes ``wandb.run`` when the run starts, or else when an epoch ends, and stays with it until the end.
    Without it the sink writes nothing, and says so at the end. ``EnergyAccountant()`` without ``sinks=`` has such a
    sink, which then says nothing. If ``wandb.finish()`` comes before the end of the run, the sink says what is missing.

    Every epoch adds the values of :mod:`green_callbacks.sinks.scalars` and ``green/epoch``, which is their horizontal
    axis. Under Hugging Face the axis is ``train/global_step``, as in the values of its ``Trainer``. Repeated epochs
    come again at the same place. W&B drops values whose step lies behind its own step, so the sink never passes a step.
    Its values go into the row of the history that is open. Only where nobody else logs anything in an epoch, the sink
    ends the row itself. So no value of yours is dropped, whether you pass ``step=`` or not. The parts of an epoch share
    their place, and a row that nobody ends between them holds the values of the last part.

    The first epoch writes the id of the run, its ledger, the place, the carbon intensity and the PUE to the config. The
    summary holds the latest values, and at the end of the run the totals. A training without epochs of ours has the
    totals alone.

    A run of Lightning's ``WandbLogger`` gets config and summary alone, because the logger itself gets the values.

    Args:
        run: The W&B run to write to, such as a run of several in one process. Defaults to ``wandb.run``.
        ledger_artifact: Whether to upload the ledger as an artifact at the end. Defaults to False.

    Raises:
        ConfigurationError: An option has the wrong type.

    Example:
        >>> from green_callbacks import EnergyAccountant
        >>> accountant = EnergyAccountant(sinks=[WandbSink(ledger_artifact=True)])
    """

    tracker = "W&B"

    def __init__(self, run: Any | None = None, *, ledger_artifact: bool = False) -> None:  # noqa: ANN401
        if run is not None and not _is_run(run):
            msg = f"run= takes a W&B run, as wandb.init() returns it, not {described(run)}. Leave it out for wandb.run."
            raise ConfigurationError(msg)
        super().__init__(ledger_artifact=ledger_artifact)
        self._run = run

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle only the options."""
        return _made, (self._run, self._ledger_artifact)

    @property
    def remedy(self) -> str:
        """How to open a run, and how to name one, as a sentence."""
        return "Call wandb.init() before the training, or pass a run with WandbSink(run=…)."

    def _open_run(self) -> TrackerRun | None:
        run = getattr(sys.modules.get("wandb"), "run", None) if self._run is None else self._run
        return WandbRun(run) if _is_run(run) else None

    def _run_of(self, logger_of_framework: Any) -> TrackerRun | None:  # noqa: ANN401  of any framework
        run = getattr(logger_of_framework, "experiment", None)
        return WandbRun(run) if _is_run(run) else None


class WandbRun:
    """A run of W&B.

    Args:
        run: The run, as ``wandb.init()`` returns it.
    """

    def __init__(self, run: Any) -> None:  # noqa: ANN401  W&B is not imported here
        self._run = run
        self._is_defined = False
        self._is_over = False
        self._is_held = False
        """Whether another sink has written to the run, so that the open row may hold its values."""
        self._pending: tuple[int, int] | None = None
        """Step and epoch of the row of the history that holds values of this sink, and may be open. Else None."""

    @property
    def name(self) -> str:
        """What to call the run in a message."""
        return f"The W&B run {self._run.id}"

    def is_same(self, other: TrackerRun) -> bool:
        """Return whether this is the same run as another one."""
        return isinstance(other, WandbRun) and other.name == self.name

    def holder(self) -> str | None:
        """Return the id of the run whose numbers the W&B run holds."""
        found: str | None = self._run.config.get(RUN_ID)
        self._is_held = found is not None
        return found

    def tell(self, facts: Mapping[str, Fact]) -> None:
        """Update the config."""
        self._unless_over(lambda: self._run.config.update(dict(facts), allow_val_change=True))

    def add(self, values: Mapping[str, float], place: Place) -> None:
        """Add values to the history and to the summary."""
        self._unless_over(lambda: self._add({**values, _EPOCH: place.epoch}, place))

    def sum_up(self, totals: Mapping[str, Fact], place: Place | None) -> None:  # noqa: ARG002  the history has them
        """Update the summary with the totals."""
        self._unless_over(lambda: self._run.summary.update(dict(totals)))

    def keep(self, ledger: Path) -> None:
        """Upload the ledger as an artifact."""
        name = f"green-ledger-{self._run.id}"
        self._unless_over(lambda: self._run.log_artifact(str(ledger), name=name, type="green-ledger"))

    def _add(self, values: dict[str, float], place: Place) -> None:
        self._define(place.step_metric or _EPOCH)
        if place.step_metric is not None:  # the framework passes no step=, and the row must hold its step metric
            self._run.log({**values, place.step_metric: place.number})
        elif self._run.settings.mode == _SHARED:
            self._run.log(values)
        else:
            self._end_row(place.epoch)
            self._run.log(values, commit=False)
        self._run.summary.update(values)

    def _end_row(self, epoch: int) -> None:
        """End the open row if it holds values of another epoch, which the next values would overwrite.

        At most one row is ended in an epoch. So a user's ``step=epoch`` never lies behind the step of W&B.
        """
        step: int = self._run.step
        held_step, held_epoch = self._pending or (None, None)
        if self._is_held or (held_step == step and held_epoch != epoch):
            self._run.log({}, commit=True)
            step += 1
        self._pending, self._is_held = (step, epoch), False

    def _define(self, step_metric: str) -> None:
        """Define the axis. The summary is written apart, since a row that ends late would overwrite the totals."""
        if self._is_defined:
            return
        self._is_defined = True
        self._run.define_metric(_EPOCH, hidden=True, summary="none")
        for prefix in (MAIN, DETAIL):
            self._run.define_metric(f"{prefix}*", step_metric=step_metric, summary="none")

    def _unless_over(self, call: Callable[[], object]) -> None:
        """Make a call, unless the run has finished. Say once that it has."""
        if self._is_over:
            return
        usage_error = getattr(sys.modules.get("wandb"), "UsageError", _NeverRaised)
        try:
            self._is_over = bool(getattr(self._run, "_is_finished", False))  # run.step would wait for 30 s
            if not self._is_over:
                call()
        except (usage_error, ConnectionError):  # at exit W&B's own process may end first
            self._is_over = True
        if self._is_over:
            logger.warning(
                "%s finished before the accountant was closed, so it misses all that came later, such as the totals. "
                "The ledger holds it. Close the accountant before wandb.finish().",
                self.name,
            )


class _NeverRaised(Exception):  # noqa: N818  it is no error
    """Stands for an exception of W&B where W&B has none."""


def _is_run(run: object) -> bool:
    return all(hasattr(type(run), name) for name in ("log", "define_metric"))


def _made(run: Any | None, ledger_artifact: bool) -> WandbSink:  # noqa: ANN401, FBT001
    """Make a sink from its options. Pickle passes arguments by position."""
    return WandbSink(run, ledger_artifact=ledger_artifact)
