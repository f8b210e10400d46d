"""The body of the ``EmissionsMonitor`` for Hugging Face's ``Trainer``.

Its import loads nothing of the accountant, because scripts import much that they do not use.
"""

from typing import TYPE_CHECKING, Any, NoReturn, Unpack

from green_callbacks.errors import ConfigurationError

if TYPE_CHECKING:
    from green_callbacks.accountant import AccountantOptions, EnergyAccountant


class OnlyTransformers:
    """Refuses the hooks of other frameworks."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        name = type(self).__name__
        msg = (
            f"This {name} is a callback for the Trainer of Hugging Face, but something else has called it. For "
            f"Lightning, import {name} from green_callbacks.lightning. For Keras, import it from green_callbacks.keras."
        )
        raise ConfigurationError(msg)

    # Keras and Lightning call these methods first.
    set_params = set_model = setup = on_fit_start = _refuse


class TransformersHooks(OnlyTransformers):
    """Measures energy and emissions of every training of a ``Trainer``, per epoch. Subclasses of it work as well.

    Metrics have the names of the trainer, such as ``eval_accuracy``. Each stands in the epoch that it judges. With
    ``eval_strategy="steps"``, each evaluation ends a part of the epoch, and the policies decide there. So they can stop
    a training of few epochs. Without an evaluation, the training loss is observed as ``loss`` whenever it is logged.

    When a policy ends the run, the trainer stops after the present step or epoch, and evaluates and saves a checkpoint
    as far as its strategies do so at all. A budget is checked after every step. A landing scales the learning rates in
    every step, and the schedule never sees that. By default the learning rate decays over the whole plan, so
    ``MarginalGain`` waits for its end unless it lands.

    The account travels in ``trainer_state.json``. ``train(resume_from_checkpoint=…)`` continues its totals, and
    compares them with the budget that is given now. The numbers of each epoch go to ``state.log_history``, into the
    folder of the trainer's TensorBoard run, and into the next printed line of logs. The summary names the checkpoints
    of the trainer on the front of quality and emissions.

    The trainer reports the end of ``evaluate()`` and ``predict()``, but not their beginning. To measure them outside a
    training, call them inside ``with monitor.accountant:``. The trainer does not report exceptions either. Within
    seconds, this callback notices a training that was cut short, and records it with an incomplete last epoch.

    Args:
        accountant: An accountant to use. Defaults to a new accountant with the given options.
        **options: Options of the accountant, see :class:`green_callbacks.AccountantOptions`.

    Raises:
        ConfigurationError: An option cannot work.

    Example:
        >>> from green_callbacks import CarbonBudget
        >>> from green_callbacks.transformers import EmissionsMonitor
        >>> monitor = EmissionsMonitor(location="DE", policies=[CarbonBudget("500 g")])
        >>> monitor.accountant.is_live
        False
    """

    def __init__(self, accountant: "EnergyAccountant | None" = None, **options: "Unpack[AccountantOptions]") -> None:
        from green_callbacks._frameworks.transformers.training import TrainingHooks
        from green_callbacks.accountant import EnergyAccountant

        self.accountant = EnergyAccountant.given(accountant, options)
        self._training = TrainingHooks(self.accountant)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin a training."""
        self._training.on_train_begin(args, state, control, **kwargs)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """End the training."""
        self._training.on_train_end(args, state, control, **kwargs)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin an epoch.

        Raises:
            BudgetSpentError: A budget has no room for the first epoch of the training.
        """
        self._training.on_epoch_begin(args, state, control, **kwargs)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """End the epoch, or wait for the evaluation that judges it."""
        self._training.on_epoch_end(args, state, control, **kwargs)

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Keep the learning rates scaled in a landing."""
        self._training.waits.begin_step(state)
        self._training.on_step_begin(args, state, control, **kwargs)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop if a budget is spent, and end a part of the epoch if it is due."""
        self._training.on_step_end(args, state, control, **kwargs)
        self._training.waits.end_step(state, control)

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Observe what is logged."""
        self._training.on_log(args, state, control, **kwargs)

    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin the phase of an evaluation that was not announced."""
        self._training.waits.forget()
        self._training.on_prediction_step(args, state, control, **kwargs)

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Observe the metrics of an evaluation."""
        self._training.on_evaluate(args, state, control, **kwargs)

    def on_predict(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """End the phase of a prediction."""
        self._training.on_predict(args, state, control, **kwargs)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note the checkpoint if it lies on the front."""
        self._training.on_save(args, state, control, **kwargs)
