"""The landing of a run, as its loop controls it."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from green_callbacks.accountant.landing.loop_rates import LoopRates
from green_callbacks.accountant.landing.optimizer_rates import OptimizerRates
from green_callbacks.accountant.landing.rates import Rates
from green_callbacks.policies import Budget, lands
from green_callbacks.records import Landing

if TYPE_CHECKING:
    from green_callbacks.accountant.run.idle_run import IdleRun
    from green_callbacks.accountant.run.run import Run
    from green_callbacks.accountant.setup.options import Settings
    from green_callbacks.accountant.setup.resume import RunState

_TWICE: Final = (
    "The landing scales the learning rates of the optimizers already. Do not multiply them by "
    "accountant.landing_factor too, or leave accountant.scale_learning_rates() out."
)


class LandingControl:
    """The part of an accountant by which a loop or an adapter controls a landing."""

    _agreed: "Settings"
    _state: "RunState"
    _run: "Run | None"
    _rates: Rates | None = None
    _of_loop: OptimizerRates | None = None

    if TYPE_CHECKING:

        @property
        def _live(self) -> "Run | IdleRun": ...

    def _agree_on(self, settings: "Settings") -> None:
        """Ask by options that all processes of the run have agreed on."""
        self._agreed = settings
        for name in ("may_land", "lands_inside"):
            self.__dict__.pop(name, None)

    @cached_property
    def may_land(self) -> bool:
        """Whether a policy may let the learning rate go to 0 before it stops the run."""
        return any(map(lands, self._agreed.policies))

    @cached_property
    def lands_inside(self) -> bool:
        """Whether a budget may begin such a landing inside an epoch. Then :meth:`look` is needed after each batch."""
        return self.may_land and any(lands(each) and isinstance(each, Budget) for each in self._agreed.policies)

    @property
    def landing(self) -> Landing | None:
        """The landing that has begun, or None."""
        return self._run.landing.landing if self._run is not None else self._state.landing

    @property
    def landing_factor(self) -> float:
        """Factor of the learning rate in the next step, 1 without a landing.

        Multiply your learning rate with it in a loop whose optimizer cannot be given to :meth:`scale_learning_rates`,
        such as a loop of JAX. The first access tells the accountant that the loop can land.
        """
        if self._rates is None and self.may_land:
            self.start_scaling(LoopRates())
        run = self._run
        if run is None or not run.is_live:
            return 1.0
        if run.landing.landing is not None and not isinstance(self._rates, LoopRates):
            run.notices.say("landing scaled twice", _TWICE)
        return run.landing.course.asked_factor

    def scale_learning_rates(self, *optimizers: Any) -> None:  # noqa: ANN401  torch is not imported here
        """Let a landing scale the learning rates of optimizers of torch. Call it before the first epoch.

        The schedule of the user goes on, and never sees a scaled rate. Nothing is registered before a landing begins.
        From now on, each epoch records the learning rate with which it begins, unless :meth:`observe` reports one. So
        rules see whether the rate rises or has dropped.

        Args:
            *optimizers: All optimizers of the training, or lists of them.

        Example:
            >>> from green_callbacks import EnergyAccountant
            >>> class Optimizer:
            ...     param_groups = [{"lr": 0.1}]
            ...     def register_step_pre_hook(self, hook): ...
            ...     def register_step_post_hook(self, hook): ...
            >>> EnergyAccountant().scale_learning_rates(Optimizer())
        """
        each = [one for given in optimizers for one in (given if isinstance(given, list | tuple) else (given,))]
        self._of_loop = OptimizerRates(lambda: each)
        self.start_scaling(self._of_loop)

    def _begin_in(self, run: "Run", epoch: int, step: int | None) -> None:
        """Begin an epoch. Note the learning rate with which it begins in a user's own loop.

        Args:
            run: The run.
            epoch: Index of the epoch.
            step: Optimizer steps so far. None if the caller does not know them.

        Raises:
            BudgetSpentError: No budget is left for the first epoch since the start.
        """
        run.epochs.begin(epoch, step)
        if self._of_loop is not None:
            run.epochs.note(None, {"learning_rate": self._of_loop.present()})

    def start_scaling(self, rates: Rates) -> None:
        """Use learning rates for a landing.

        Args:
            rates: The learning rates of the loop.
        """
        self._rates = rates
        self._live.landing.use(rates)

    def lands_with(self, epoch: int) -> bool:
        """Return whether the landing ends with an epoch.

        Args:
            epoch: Index of the open epoch, after its last step.
        """
        run = self._run
        return run is not None and run.landing.course.ends_with(epoch, run.board.plan)

    def at_step(self, step: int) -> bool:
        """Report the optimizer steps so far. Every rank calls this after each batch if :attr:`may_land` is True.

        Args:
            step: Optimizer steps so far, counted as for :meth:`observe`.

        Returns:
            Whether a landing ends here, so that the run is to stop inside the epoch.
        """
        return self._live.epochs.land_to(step, is_by_batch=True)
