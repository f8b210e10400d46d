"""How landings begin and end in real fits, and what keeps a run from landing."""

import copy
import math
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks.lightning.landed import BATCHES, EPOCHS, RATE, LandsAfter, NotedSGD, Rated, factors, fit
from frameworks.lightning.tiny import WATTS, trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, StochasticWeightAveraging
from torch.utils.data import DataLoader

from green_callbacks import CarbonBudget, MarginalGain
from green_callbacks.clock import ScriptedClock
from green_callbacks.lightning import FrontCheckpoint

BEGINS = 8
LONG = 200
"""Batches of a long epoch."""


class Long(Rated):
    """Epochs of 200 batches."""

    def train_dataloader(self) -> DataLoader[torch.Tensor]:
        return DataLoader(torch.linspace(-1, 1, 4 * LONG).view(-1, 2), batch_size=2)


def joules_of(callback: Any) -> float:
    return float(callback.accountant.close().energy_joules)


@pytest.mark.parametrize(
    "options",
    [{}, {"check_val_every_n_epoch": 3}, {"val_check_interval": 3}, {"check_val_every_n_epoch": 100}],
    ids=["every epoch", "every third epoch", "not with the last batch", "never before"],
)
def test_a_landing_ends_with_a_validation_and_a_checkpoint(
    tmp_path: Path, clock: ScriptedClock, options: dict[str, Any]
):
    last, front = ModelCheckpoint(tmp_path, save_last=True), FrontCheckpoint("val_acc", tmp_path / "front", keep=2)
    module = Rated(clock, scores=[0.01 * epoch for epoch in range(EPOCHS)])
    callback, fitted = fit(
        tmp_path, module, LandsAfter(BEGINS), callbacks=[last, front], enable_checkpointing=True, **options
    )

    record = callback.accountant.history[-1]
    assert (record.epoch, record.complete, record.metrics["val_acc"]) == (9, True, pytest.approx(0.09))
    saved = torch.load(last.last_model_path, weights_only=False)
    assert all(torch.equal(saved["state_dict"][name], value) for name, value in module.state_dict().items())
    assert "epoch=9" in front.best_model_path
    assert fitted.check_val_every_n_epoch == options.get("check_val_every_n_epoch", 1)


@pytest.mark.parametrize(
    ("options", "is_said"),
    [
        ({"every_n_epochs": 4}, True),
        ({"every_n_train_steps": 7}, True),
        ({"every_n_epochs": 1}, False),
        ({"every_n_epochs": 4, "save_last": True}, True),
        ({"monitor": "val_acc"}, False),
        (None, False),
    ],
)
def test_a_checkpoint_that_misses_the_landed_weights_is_told(
    tmp_path: Path, clock: ScriptedClock, options: dict[str, Any] | None, *, is_said: bool
):
    callbacks = [] if options is None else [ModelCheckpoint(tmp_path, **options)]
    trained = {"callbacks": callbacks, "enable_checkpointing": bool(callbacks)}
    callback, _ = fit(tmp_path, Rated(clock), LandsAfter(BEGINS), **trained)

    notices = callback.accountant.close().notices
    assert any("No checkpoint holds the landed weights" in text for text in notices) is is_said


@pytest.mark.parametrize("every", [1, 3])
def test_a_rule_lands_inside_a_long_epoch(tmp_path: Path, clock: ScriptedClock, every: int):
    class Learning(Long):
        def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor | None:
            self.log("score", 1 - math.exp(-self.global_step / 5))
            return super().training_step(batch, batch_idx)

    saved = ModelCheckpoint(tmp_path, save_last=True)
    module = Learning(clock, schedule="exponential", planned=5 * LONG)
    callback, fitted = fit(
        tmp_path,
        module,
        MarginalGain("score", mode="max", landing=0.2),
        options={"decide_every": 10},
        callbacks=[saved],
        enable_checkpointing=True,
        max_epochs=2,
        check_val_every_n_epoch=every,
    )

    landing = callback.accountant.landing
    assert landing.last_epoch is None
    assert landing.steps == round(0.2 * landing.first_step)
    assert fitted.global_step == landing.end < LONG
    rates = [rate * factor for (rate,), factor in zip(module.between, factors(landing, landing.end), strict=True)]
    assert module.made[0].used == pytest.approx(rates, rel=1e-6, abs=0)
    *_, record = callback.accountant.history
    assert (record.epoch, record.complete, record.step, "val_acc" in record.metrics) == (0, False, landing.end, True)
    assert torch.load(saved.last_model_path, weights_only=False)["global_step"] == landing.end


@pytest.mark.parametrize("landing", [0.0, 0.1])
def test_a_budget_ends_the_run_with_the_same_rest_if_it_lands(tmp_path: Path, clock: ScriptedClock, landing: float):
    budget, module = 2.6 * (LONG + 1) * WATTS, Long(clock, schedule="exponential", planned=5 * LONG)
    callback, fitted = fit(tmp_path, module, CarbonBudget(f"{budget} J", landing=landing), max_epochs=9)

    spent, record = joules_of(callback), callback.accountant.history[-1]
    assert "budget" in callback.accountant.stop_reason
    assert "val_acc" in record.metrics
    if landing:
        assert budget - 5 * WATTS < spent <= budget
        assert (record.epoch, record.complete) == (2, False)
        begun = callback.accountant.landing
        assert begun.steps == pytest.approx(0.1 * begun.first_step, rel=0.03)
        assert fitted.global_step == begun.end
        assert not begun.last_epoch
        used = module.made[0].used
        rates = [rate * factor for (rate,), factor in zip(module.between, factors(begun, begun.end), strict=True)]
        assert used == pytest.approx(rates, rel=1e-6, abs=0)
        assert used[-1] < 0.02 * used[begun.first_step]


@pytest.mark.parametrize("every", [2, 100])
def test_a_budget_pays_for_no_validation_that_it_has_never_seen(tmp_path: Path, clock: ScriptedClock, every: int):
    budget, module = 2.6 * (LONG + 1) * WATTS, Long(clock, schedule="exponential", planned=5 * LONG)
    policy = CarbonBudget(f"{budget} J", landing=0.1)
    callback, _ = fit(tmp_path, module, policy, max_epochs=9, check_val_every_n_epoch=every)

    assert budget - 5 * WATTS < joules_of(callback) <= budget
    assert ("val_acc" in callback.accountant.history[-1].metrics) is (every == 2)


class Adafactor(torch.optim.SGD):
    """Computes its own rate, as Adafactor of transformers does."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, lr=RATE)
        self.param_groups[0]["lr"] = None

    def step(self, closure: Any = None) -> Any:
        return closure()


class AdamWScheduleFree(NotedSGD):
    pass


@pytest.mark.parametrize(
    ("optimizer", "averaging", "said"),
    [
        (Adafactor, [], "without a learning rate"),
        (AdamWScheduleFree, [], "without a schedule"),
        (NotedSGD, [StochasticWeightAveraging(swa_lrs=0.01)], "StochasticWeightAveraging replaces the schedule"),
    ],
)
def test_what_cannot_land_stops_at_once_and_says_so_once(
    tmp_path: Path,
    clock: ScriptedClock,
    caplog: pytest.LogCaptureFixture,
    optimizer: type[Any],
    averaging: list[Any],
    said: str,
):
    class Plain(Rated):
        def configure_optimizers(self) -> Any:
            return self.made

    options = {} if optimizer is Adafactor else {"lr": RATE}
    module = Plain(clock, optimizers=lambda module: [optimizer(module.parameters(), **options)])
    callback, fitted = fit(tmp_path, module, LandsAfter(3), callbacks=averaging, options={"strict": False})

    assert fitted.global_step == 3 * BATCHES
    assert callback.accountant.landing is None
    assert callback.accountant.stop_reason == "Enough."
    texts = [record.getMessage() for record in caplog.records]
    assert [text.count(said) for text in texts if "cannot land" in text] == [1]
    first = next(at for at, text in enumerate(texts) if "cannot land" in text)
    assert not any("epoch 0" in text for text in texts[:first])
    assert sum(said in text for text in callback.accountant.close().notices) == 1


@pytest.mark.parametrize(
    ("least", "end"), [({"min_epochs": 11}, 11 * BATCHES), ({"min_steps": 53}, 53), ({"min_epochs": 4}, 10 * BATCHES)]
)
def test_a_landing_ends_with_the_trainers_minimum_at_the_earliest(
    tmp_path: Path, clock: ScriptedClock, least: dict[str, int], end: int
):
    module = Rated(clock, schedule="exponential")
    callback, fitted = fit(tmp_path, module, LandsAfter(BEGINS), **least)

    landing = callback.accountant.landing
    assert (landing.end, fitted.global_step) == (end, end)
    assert len(module.made[0].used) == end
    assert module.made[0].used[-1] == pytest.approx(module.between[-1][0] * 0.5 / landing.steps, rel=1e-6)


def test_a_landing_ends_with_the_plan_at_the_latest(tmp_path: Path, clock: ScriptedClock):
    for number, (limit, end) in enumerate([({"max_epochs": 9}, 45), ({"max_epochs": -1, "max_steps": 43}, 43)]):
        callback, fitted = fit(tmp_path / str(number), Rated(clock), LandsAfter(BEGINS), **limit)
        assert fitted.global_step == callback.accountant.landing.end == end


@pytest.mark.parametrize("policy", [MarginalGain("val_acc", landing=0.2)])
def test_a_rule_leaves_the_schedule_to_its_end_if_that_is_nearer(tmp_path: Path, clock: ScriptedClock, policy: Any):
    scores = [1 - 0.5**epoch for epoch in range(20)]
    callback, fitted = fit(tmp_path, Rated(clock, scores=scores, planned=40), policy, max_epochs=40)
    landed = callback.accountant.landing
    short_plan = landed.epoch + 2
    callback, short = fit(tmp_path, Rated(clock, scores=scores, planned=40), policy, max_epochs=short_plan)

    assert fitted.global_step == landed.end
    assert landed.last_epoch == landed.epoch + math.ceil(0.2 * (landed.epoch + 1))
    assert callback.accountant.landing is None
    assert short.global_step == short_plan * BATCHES


def test_early_stopping_beside_a_landing_may_end_it(tmp_path: Path, clock: ScriptedClock):
    module = Rated(clock, schedule="lambda", interval="epoch")
    stopping = EarlyStopping("val_acc", patience=BEGINS, mode="max")
    callback, fitted = fit(tmp_path, module, LandsAfter(BEGINS, landing=0.5), callbacks=[stopping])

    assert fitted.global_step == (BEGINS + 1) * BATCHES
    assert callback.accountant.landing.last_epoch == 11
    assert callback.accountant.stop_reason is None
    assert not module.made[0]._optimizer_step_pre_hooks
    assert module.made[0].param_groups[0]["lr"] == pytest.approx(RATE * (1 - 0.9 * (BEGINS + 1) / EPOCHS))


def test_a_copy_in_mid_landing_is_a_new_run(tmp_path: Path, clock: ScriptedClock):
    copies: list[Any] = []

    class Copying(Rated):
        def on_train_batch_start(self, batch: torch.Tensor, batch_idx: int) -> None:
            super().on_train_batch_start(batch, batch_idx)
            if len(self.between) == BEGINS * BATCHES + 3:
                callback = self.trainer.callbacks[0]
                copies.extend([copy.deepcopy(callback), pickle.loads(pickle.dumps(callback)), copy.deepcopy(self.made)])

    module = Copying(clock)
    callback, fitted = fit(tmp_path, module, LandsAfter(BEGINS))

    *monitors, (optimizer,) = copies
    assert fitted.global_step == callback.accountant.landing.end
    assert optimizer.param_groups[0]["lr"] == module.between[BEGINS * BATCHES + 2][0]
    for each in monitors:
        assert each.accountant.landing is None
        assert each.accountant.may_land


def test_a_second_fit_lands_by_itself(tmp_path: Path, clock: ScriptedClock):
    callback, _ = fit(tmp_path, first := Rated(clock), LandsAfter(BEGINS))
    trainer(tmp_path, callback, max_epochs=EPOCHS).fit(second := Rated(clock))

    assert second.made[0].used == first.made[0].used
