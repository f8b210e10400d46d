"""What the schedules of a module tell, and that a module's own code is not asked."""

from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks.lightning.tiny import TinyModule, monitor, trainer
from lightning.pytorch.callbacks import Callback, GradientAccumulationScheduler, ModelCheckpoint
from torch.optim import lr_scheduler as lrs

from green_callbacks import History, MarginalGain, Plan
from green_callbacks.clock import ScriptedClock


class Stepped(TinyModule):
    """A module whose schedule drops after two steps; of its own making as told."""

    def schedule(self, opt: Any) -> Any:
        return {"scheduler": lrs.MultiStepLR(opt, [2]), "interval": "step"}

    def configure_optimizers(self) -> Any:
        opt = super().configure_optimizers()
        return [opt], [self.schedule(opt)]


class ByHand(Stepped):
    """Steps optimizer and schedule itself."""

    def __init__(self, clock: ScriptedClock) -> None:
        super().__init__(clock)
        self.automatic_optimization = False

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> None:  # type: ignore[override]
        self.clock.advance(1.0)
        self.manual_backward(self.layer(batch).mean())
        self.optimizers().step()  # type: ignore[union-attr]


class Timed(Stepped):
    """Steps its schedule in a way of its own, as schedules of other libraries need it."""

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        if self.current_epoch:
            scheduler.step()


class Counted(Stepped):
    """A rate that is worked out by the user's own code, which counts how often it is asked."""

    calls = 0

    def schedule(self, opt: Any) -> Any:
        return lrs.LambdaLR(opt, self.share)

    def share(self, epoch: int) -> float:
        type(self).calls += 1
        return 0.9**epoch


def fit(
    folder: Path, module: TinyModule, *callbacks: Any, plan: Plan | None = None, **options: Any
) -> tuple[Plan, list[str]]:
    """Train; return the plan that was known at the end, and what was said to the user of schedules."""
    plans: list[Plan] = []

    def note(history: History, plan: Plan) -> None:
        plans.append(plan)

    callback = monitor(module.clock, policies=[MarginalGain("val_acc"), note], plan=plan)
    trainer(folder, *callbacks, callback, **options).fit(module)
    notices = callback.accountant.close().notices
    return plans[-1], [text for text in notices if "learning-rate schedule" in text]


@pytest.mark.parametrize("kind", [ByHand, Timed, Counted])
def test_a_schedule_that_is_the_users_own_is_left_alone_and_said_to_be_unreadable(
    tmp_path: Path, clock: ScriptedClock, kind: type[Stepped]
):
    plan, notices = fit(tmp_path, kind(clock))
    assert plan.schedule_unreadable
    assert plan.learning_rate_drops == ()
    assert "cannot be read ahead" in notices[0]
    told, notices = fit(tmp_path, kind(clock), plan=Plan(learning_rate_drops=(2,)))
    assert (told.learning_rate_drops, told.schedule_unreadable, notices) == ((2,), False, [])


def test_a_users_function_is_called_as_often_as_without_a_monitor(tmp_path: Path, clock: ScriptedClock):
    Counted.calls = 0
    trainer(tmp_path).fit(Counted(clock))
    alone, Counted.calls = Counted.calls, 0
    fit(tmp_path, Counted(clock))
    assert Counted.calls == alone > 0


@pytest.mark.parametrize(
    ("scheduling", "is_read"), [({0: 2, 1: 1}, False), (None, True)], ids=["accumulates by schedule", "never"]
)
def test_a_schedule_by_steps_is_read_where_it_is_certain_how_many_an_epoch_has(
    tmp_path: Path, clock: ScriptedClock, *, scheduling: dict[int, int] | None, is_read: bool
):
    more = [GradientAccumulationScheduler(scheduling)] if scheduling else []
    plan, notices = fit(tmp_path, Stepped(clock), *more)
    assert plan.schedule_unreadable is not is_read
    assert bool(notices) is not is_read
    assert plan.learning_rate_drops == ((1,) if is_read else ())


class Joins(Callback):
    """Brings a schedule in at the second epoch."""

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.current_epoch == 1:
            config = trainer.lr_scheduler_configs[0]
            config.scheduler, config.interval = lrs.MultiStepLR(trainer.optimizers[0], [2]), "epoch"


def test_a_schedule_that_joins_in_mid_training_is_read_from_there(tmp_path: Path, clock: ScriptedClock):
    plan, _ = fit(tmp_path, Stepped(clock), Joins(), max_epochs=6)
    assert plan.learning_rate_drops == (3,)


def test_what_is_left_of_a_schedule_counts_by_the_batches_of_now(tmp_path: Path, clock: ScriptedClock):
    """Four steps are done, and the rate drops after ten: in two more epochs of four steps, or in six of one."""

    class Long(Stepped):
        def schedule(self, opt: Any) -> Any:
            return {"scheduler": lrs.MultiStepLR(opt, [10]), "interval": "step"}

    first = trainer(tmp_path, max_epochs=1)
    first.fit(Long(clock))
    first.save_checkpoint(tmp_path / "last.ckpt")
    for accumulated, dropped in ((1, 3), (4, 7)):
        plans: list[Plan] = []

        def note(history: History, plan: Plan, plans: list[Plan] = plans) -> None:
            plans.append(plan)

        resumed = trainer(tmp_path, monitor(clock, policies=[note]), max_epochs=9, accumulate_grad_batches=accumulated)
        resumed.fit(Long(clock), ckpt_path=tmp_path / "last.ckpt")
        assert plans[-1].learning_rate_drops == (dropped,)


def test_what_was_done_of_an_epoch_that_goes_on_is_not_counted_twice(tmp_path: Path, clock: ScriptedClock):
    class Long(Stepped):
        def schedule(self, opt: Any) -> Any:
            return {"scheduler": lrs.MultiStepLR(opt, [9]), "interval": "step"}

    saved = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=1, save_top_k=-1)
    trainer(tmp_path, saved, max_epochs=2, enable_checkpointing=True).fit(Long(clock))
    for step in (5, 6, 7):
        plans: list[Plan] = []

        def note(history: History, plan: Plan, plans: list[Plan] = plans) -> None:
            plans.append(plan)

        resumed = trainer(tmp_path, monitor(clock, policies=[note]), max_epochs=6)
        resumed.fit(Long(clock), ckpt_path=tmp_path / f"step={step}.ckpt")
        assert plans[0].learning_rate_drops == (3,), step
