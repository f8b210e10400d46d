"""What users' modules, callbacks and optimisers may hand to Lightning, and what must not end a training."""

import decimal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from frameworks.lightning.tiny import TinyModule, epochs, monitor, trainer
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Timer
from lightning.pytorch.loggers import CSVLogger
from support.runs import ListSink

from green_callbacks import EpochRecord, MarginalGain
from green_callbacks._frameworks.common.running_call import RunningCall
from green_callbacks.clock import ScriptedClock
from green_callbacks.lightning import FrontCheckpoint


class Raising:
    """Raises whatever is asked of it."""

    def __float__(self) -> float:
        raise ZeroDivisionError

    def __repr__(self) -> str:
        raise ZeroDivisionError


class Puts(Callback):
    """Puts a value where metrics lie."""

    def __init__(self, value: object, name: Any = "odd") -> None:
        self.value, self.name = value, name

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.callback_metrics[self.name] = self.value  # type: ignore[assignment]  # that is what users do

    on_validation_end = on_train_epoch_end


class Takes(Callback):
    """Takes it out again, since Lightning itself cannot move all of them at its end."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.callback_metrics.pop("odd", None)

    on_validation_end = on_train_epoch_end


def fit(folder: Path, clock: ScriptedClock, *callbacks: Any, module: Any = None, **options: Any) -> list[EpochRecord]:
    watching = monitor(clock)
    trainer(folder, *callbacks, watching, Takes(), **options).fit(module or TinyModule(clock))
    return epochs(watching.accountant.history)


STRANGE = {
    "text": "0.5",
    "dict": {"a": 1},
    "list": [0.5],
    "two elements": torch.tensor([0.5, 0.6]),
    "on meta": torch.ones(1, device="meta"),
    "complex tensor": torch.tensor(1j),
    "complex": 1j,
    "two in NumPy": np.array([0.5, 0.6]),
    "text in NumPy": np.array(["0.5"]),
    "complex in NumPy": np.complex64(1 + 2j),
    "too large": 10**400,
    "raising": Raising(),
    "object": object(),
    "signaling": decimal.Decimal("sNaN"),
}


@pytest.mark.parametrize("value", STRANGE.values(), ids=STRANGE.keys())
def test_a_metric_that_is_no_number_is_left_out_and_named_once(
    tmp_path: Path, clock: ScriptedClock, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    records = fit(tmp_path, clock, Puts(value))

    assert [record.metrics["val_acc"] for record in records] == [0.5] * 3
    assert not any("odd" in record.metrics for record in records)
    [warning] = [message for message in caplog.messages if "odd" in message]
    assert "Log a scalar" in warning


KNOWN = {
    "float": 0.5,
    "tensor": torch.tensor(0.5),
    "one element": torch.tensor([[0.5]], requires_grad=True),
    "one in NumPy": np.array([0.5]),
    "half": np.float16(0.5),
    "decimal": decimal.Decimal("0.5"),
}


@pytest.mark.parametrize("value", KNOWN.values(), ids=KNOWN.keys())
def test_a_number_of_any_library_is_recorded(
    tmp_path: Path, clock: ScriptedClock, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    records = fit(tmp_path, clock, Puts(value))
    assert records[0].metrics["odd"] == 0.5
    assert not [message for message in caplog.messages if "odd" in message]


@pytest.mark.parametrize("name", [1, ("a", 1), None])
def test_a_metric_may_have_a_name_of_any_kind(tmp_path: Path, clock: ScriptedClock, name: object) -> None:
    records = fit(tmp_path, clock, Puts(torch.tensor(0.5), name))
    assert records[0].metrics[str(name)] == 0.5


def test_a_front_checkpoint_goes_on_beside_a_metric_that_turns_into_a_text(
    tmp_path: Path, clock: ScriptedClock
) -> None:
    class Spoils(Callback):
        def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
            trainer.callback_metrics["val_acc"] = "good"  # type: ignore[assignment]

    front = FrontCheckpoint("val_acc", tmp_path / "front")
    watching = monitor(clock)
    trainer(tmp_path, watching, Spoils(), front, enable_checkpointing=True).fit(TinyModule(clock, (0.1, 0.2, 0.3)))
    assert len(front.points) == 3


class OddOptimizer(torch.optim.SGD):
    """Tells nothing of its groups once it trains."""

    rate: object = None

    def step(self, closure: Any = None) -> Any:
        loss = super().step(closure)
        self.__class__ = _Groupless if self.rate is None else self.__class__
        return loss


class _Groupless(OddOptimizer):
    @property
    def param_groups(self) -> Any:
        raise ZeroDivisionError

    @param_groups.setter
    def param_groups(self, groups: Any) -> None: ...

    def step(self, closure: Any = None) -> Any:
        return closure() if closure else None

    def zero_grad(self, set_to_none: bool = True) -> None: ...  # noqa: FBT001, FBT002  torch's signature


class WithOptimizer(TinyModule):
    def __init__(self, clock: ScriptedClock, make: Callable[[Any], Any]) -> None:
        super().__init__(clock)
        self.make = make

    def configure_optimizers(self) -> Any:
        return self.make(self.parameters())


def test_an_optimizer_that_raises_has_no_learning_rate(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
) -> None:
    module = WithOptimizer(clock, lambda parameters: OddOptimizer(parameters, lr=0.1))
    records = fit(tmp_path, clock, module=module)
    assert [record.learning_rate for record in records] == [None] * 3
    assert len([message for message in caplog.messages if message.startswith("The learning rate")]) == 1


def test_a_learning_rate_that_is_a_tensor_is_recorded(tmp_path: Path, clock: ScriptedClock) -> None:
    module = WithOptimizer(clock, lambda parameters: torch.optim.SGD(parameters, lr=torch.tensor(0.1), foreach=False))
    assert [record.learning_rate for record in fit(tmp_path, clock, module=module)] == [pytest.approx(0.1)] * 3


def test_a_schedule_that_raises_when_it_is_read_ahead_is_unreadable(tmp_path: Path, clock: ScriptedClock) -> None:
    def share(step: int) -> float:
        if step > 2:
            raise ZeroDivisionError
        return 1.0

    def make(parameters: Any) -> Any:
        optimizer = torch.optim.SGD(parameters, lr=0.1)
        return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.LambdaLR(optimizer, share)}

    sink = ListSink()
    watching = monitor(clock, sinks=[sink])
    trainer(tmp_path, watching, max_epochs=2, limit_train_batches=1).fit(WithOptimizer(clock, make))
    assert len(epochs(watching.accountant.history)) == 2

    longer = monitor(clock, sinks=[sink])
    with pytest.raises(ZeroDivisionError):  # which is the user's own, and comes when it is theirs to come
        trainer(tmp_path, longer, max_epochs=8).fit(WithOptimizer(clock, make))
    assert sink.contexts[-1].plan.schedule_unreadable
    assert len(epochs(longer.accountant.history)) == 3


class Words(Callback):
    def time_remaining(self) -> str:
        return "an hour"


class Asked(Callback):
    @property
    def time_remaining(self) -> float:
        raise ZeroDivisionError


class Broken(Timer):
    def time_remaining(self, stage: Any = None) -> float:
        raise ZeroDivisionError


def test_of_callbacks_with_a_time_only_the_timers_of_lightning_are_asked_each_for_itself(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
) -> None:
    sink = ListSink()
    timer = Timer("00:01:00:00", interval="epoch")
    trainer(tmp_path, monitor(clock, sinks=[sink]), Words(), Asked(), Broken("00:02:00:00"), timer, max_epochs=1).fit(
        TinyModule(clock)
    )
    assert 3590 < (sink.contexts[-1].plan.seconds or 0) < 3610
    assert len([message for message in caplog.messages if "The time that a callback leaves" in message]) == 1


def test_a_module_may_give_any_name_to_what_raises(tmp_path: Path, clock: ScriptedClock) -> None:
    class Module(TinyModule):
        @property
        def current_epoch(self) -> int:
            raise ZeroDivisionError

        @property
        def global_step(self) -> int:
            raise ZeroDivisionError

        def score(self) -> float:
            return 0.5

    watching = monitor(clock)
    run = trainer(tmp_path, watching)
    run.fit(Module(clock))
    assert watching.accountant.close().epochs == 3
    assert "green/emissions_total_g" in run.callback_metrics


def test_metrics_that_cannot_be_computed_yet_are_not_known(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
) -> None:
    watching, asked = monitor(clock), []
    run = trainer(tmp_path, watching)
    before = type(run).callback_metrics

    def metrics(self: Any) -> Any:
        asked.append(1)
        raise ZeroDivisionError

    type(run).callback_metrics = property(metrics)
    try:
        run.fit(TinyModule(clock))
    finally:
        type(run).callback_metrics = before
    assert watching.accountant.close().epochs == 3
    assert asked
    assert len([message for message in caplog.messages if "The metrics of the trainer" in message]) == 1


class Deaf(CSVLogger):
    def log_metrics(self, metrics: Any, step: Any = None) -> None:
        if any(name.startswith("green/") for name in metrics):
            raise ZeroDivisionError


def test_a_remote_log_folder_has_a_named_stand_in_and_none_is_made_of_its_address(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
) -> None:
    watching = monitor(clock)
    run = trainer(tmp_path, watching)
    type(run).log_dir, before = property(lambda self: "s3://bucket/logs"), type(run).log_dir
    try:
        run.fit(TinyModule(clock))
    finally:
        type(run).log_dir = before
    assert not list(Path().glob("s3*"))
    [ledger] = Path().glob("green-callbacks/*.jsonl")
    assert watching.accountant.run_id == ledger.stem
    [said] = [message for message in caplog.messages if "s3://bucket/logs" in message]
    assert str(ledger.absolute()) in said
    assert watching.accountant.close().notices == (said,)


def test_a_log_folder_that_raises_is_not_known(tmp_path: Path, clock: ScriptedClock) -> None:
    watching = monitor(clock)
    run = trainer(tmp_path, watching)
    asked = iter([str(tmp_path)])  # by Lightning itself, first
    type(run).log_dir, before = property(lambda self: next(asked)), type(run).log_dir
    try:
        run.fit(TinyModule(clock))
    finally:
        type(run).log_dir = before
    assert len(epochs(watching.accountant.history)) == 3
    assert list(tmp_path.glob("*/*.jsonl"))


class Journal:
    def info(self, text: str) -> None:
        pass


@pytest.mark.parametrize("own", ["a logger", "a method"])
def test_a_module_may_use_the_name_log_for_anything_and_the_numbers_arrive_all_the_same(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture, own: str
) -> None:
    class Module(TinyModule):
        def log_metric(self, name: str, value: Any) -> None:
            LightningModule.log(self, name, value)

        def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
            self.clock.advance(1.0)
            return self.layer(batch).pow(2).mean()

        def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
            self.log_metric("val_acc", 0.5)

    class Method(Module):
        def log(self, *_: Any) -> None:
            raise ZeroDivisionError

    module = Method(clock) if own == "a method" else Module(clock)
    if own == "a logger":
        module.log = Journal()  # type: ignore[assignment]
    logger, watching = CSVLogger(tmp_path), monitor(clock)
    run = trainer(tmp_path, watching, logger=logger)
    run.fit(module)
    assert float(run.callback_metrics["green/emissions_total_g"]) == pytest.approx(
        1000 * (watching.accountant.close().emissions_kg or 0), rel=1e-6
    )
    assert "green/emissions_total_g" in Path(logger.log_dir, "metrics.csv").read_text()
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


def test_a_logger_that_refuses_the_numbers_of_the_package_does_not_end_the_training(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
) -> None:
    beside, watching = CSVLogger(tmp_path, name="beside"), monitor(clock)
    run = trainer(tmp_path, watching, logger=[Deaf(tmp_path, name="deaf"), beside])
    run.fit(TinyModule(clock))
    assert len(epochs(watching.accountant.history)) == 3
    assert "green/emissions_total_g" in Path(beside.log_dir, "metrics.csv").read_text()
    assert float(run.callback_metrics["green/energy_wh"]) > 0
    assert len([message for message in caplog.messages if "Logging to Deaf failed" in message]) == 1


def test_a_logger_that_raises_inside_an_epoch_is_passed_over(tmp_path: Path, clock: ScriptedClock) -> None:
    watching = monitor(clock, decide_every="1 step")
    run = trainer(tmp_path, watching, logger=Deaf(tmp_path), log_every_n_steps=1000, max_epochs=1)
    run.fit(TinyModule(clock))
    assert len(watching.accountant.history) > 3


def test_what_a_policy_tells_may_be_anything(tmp_path: Path, clock: ScriptedClock) -> None:
    from green_callbacks import Verdict

    def odd(history: Any, plan: Any) -> Verdict:
        return Verdict(stop=False, code="active", reason="", values={"a": "text", "b": [1]})  # type: ignore[dict-item, arg-type]

    watching = monitor(clock, policies=[odd], ledger=False)
    trainer(tmp_path, watching).fit(TinyModule(clock))
    assert len(epochs(watching.accountant.history)) == 3


class TestTeardown:
    def test_a_callback_that_raises_when_told_of_an_exception_leaves_no_run_behind(
        self, tmp_path: Path, clock: ScriptedClock
    ) -> None:
        class Bad(Callback):
            def on_train_batch_start(self, *_: Any) -> None:
                raise ZeroDivisionError

            def on_exception(self, *_: Any) -> None:
                raise LookupError

        watching = monitor(clock)
        with pytest.raises(LookupError):
            trainer(tmp_path, Bad(), watching).fit(TinyModule(clock))
        clock.advance(1000.0)
        trainer(tmp_path, watching).fit(TinyModule(clock))
        assert not watching.accountant.is_live
        assert [record.duration_seconds for record in epochs(watching.accountant.history)][-3:] == [5.0] * 3

    def test_a_later_fit_at_the_same_address_is_another_fit(self, tmp_path: Path, clock: ScriptedClock) -> None:
        class Bad(Callback):
            def on_train_batch_start(self, *_: Any) -> None:
                raise ZeroDivisionError

            def on_exception(self, *_: Any) -> None:
                raise LookupError

        class SameAddress(Callback):
            def setup(self, *_: Any, **__: Any) -> None:
                now = RunningCall.innermost("lightning", ("_call_and_handle_interrupt",))
                watching._run._call._frame_id = now._frame_id

        watching = monitor(clock)
        with pytest.raises(LookupError):
            trainer(tmp_path, Bad(), watching).fit(TinyModule(clock))
        trainer(tmp_path, SameAddress(), watching).fit(TinyModule(clock))
        assert not watching.accountant.is_live
        assert len(epochs(watching.accountant.history)) == 4  # of which the first is cut short

    @pytest.mark.parametrize("hook", ["on_train_epoch_start", "on_validation_end", "on_train_batch_end"])
    def test_an_interrupt_anywhere_closes_the_run(self, tmp_path: Path, clock: ScriptedClock, hook: str) -> None:
        def interrupted(self: Callback, *_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        bad = type("Bad", (Callback,), {hook: interrupted})()
        watching = monitor(clock, policies=[MarginalGain("val_acc")])
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            trainer(tmp_path, watching, bad).fit(TinyModule(clock))
        assert not watching.accountant.is_live
