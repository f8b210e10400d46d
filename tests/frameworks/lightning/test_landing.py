"""Landings in real fits. The learning rate in use is the rate of the schedule times the factor."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks.lightning.landed import (
    BATCHES,
    EPOCHS,
    RATE,
    SCHEDULES,
    LandsAfter,
    Noted,
    NotedAdam,
    NotedSGD,
    Rated,
    factors,
    fit,
    two_layers,
)
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger

from green_callbacks import read_ledger
from green_callbacks.clock import ScriptedClock

BEGINS, LENGTH = 8, 2
"""Epochs before the landing, and its length. It is a quarter of them."""


def one(module: Rated) -> Sequence[Any]:
    return [NotedSGD(module.parameters(), lr=RATE)]


def groups(module: Rated) -> Sequence[Any]:
    layers = [{"params": module.first.parameters()}, {"params": module.second.parameters(), "lr": RATE / 7}]
    return [NotedAdam(layers, lr=RATE)]


def tensor(module: Rated) -> Sequence[Any]:
    """Both groups share one tensor, as torch leaves it."""
    layers = [{"params": module.first.parameters()}, {"params": module.second.parameters()}]
    return [NotedAdam(layers, lr=torch.tensor(RATE, dtype=torch.float64), foreach=False)]


def fused(module: Rated) -> Sequence[Any]:
    return [NotedAdam(module.parameters(), lr=torch.tensor(RATE), fused=True)]


def pair(folder: Path, make: Callable[[], Rated], **trained: Any) -> tuple[Rated, Rated, Any]:
    """Train with a landing, and without any monitor's policy. Return both modules and the first monitor."""
    landed, plain = make(), make()
    callback, _ = fit(folder / "landed", landed, LandsAfter(BEGINS), **trained)
    fit(folder / "plain", plain, **trained)
    return landed, plain, callback


def check(landed: Rated, plain: Rated, callback: Any, steps_a_batch: int = 1, batches: int = BATCHES) -> None:
    """Check the rates of a landing against the schedule alone, and the schedule as everybody else sees it."""
    landing, end = callback.accountant.landing, (BEGINS + LENGTH) * batches
    assert (landing.first_step, landing.steps) == (BEGINS * batches * steps_a_batch, LENGTH * batches * steps_a_batch)
    assert landing.last_epoch == BEGINS + LENGTH - 1
    expected = factors(landing, end * steps_a_batch, steps_a_batch)
    for scaled, whole in zip(landed.made, plain.made, strict=True):
        groups = len(scaled.param_groups)
        used, rates = scaled.used, whole.used[: len(scaled.used)]
        assert len(used) == end * groups
        assert used == pytest.approx([rate * expected[at // groups] for at, rate in enumerate(rates)], rel=1e-6, abs=0)
        assert used[: landing.first_step // steps_a_batch * groups] == rates[: len(used) - LENGTH * batches * groups]
        assert not scaled._optimizer_step_pre_hooks
        assert not scaled._optimizer_step_post_hooks
    assert landed.between == plain.between[: len(landed.between)]  # to the bit


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("interval", ["step", "epoch"])
@pytest.mark.filterwarnings("ignore:A `OneCycleLR` scheduler is using")
def test_every_schedule_is_scaled_and_unchanged(tmp_path: Path, clock: ScriptedClock, schedule: str, interval: str):
    check(*pair(tmp_path, lambda: Rated(clock, schedule=schedule, interval=interval)))


@pytest.mark.parametrize("optimizers", [one, two_layers, groups, tensor, fused])
def test_every_optimizer_is_scaled_in_manual_optimization(
    tmp_path: Path, clock: ScriptedClock, optimizers: Callable[[Rated], Sequence[Any]]
):
    def make() -> Rated:
        return Rated(clock, optimizers=optimizers, manual=True)

    check(*pair(tmp_path, make), steps_a_batch=2 if optimizers is two_layers else 1)


@pytest.mark.parametrize("optimizers", [groups, tensor, fused])
def test_every_group_and_every_tensor_is_scaled_once(
    tmp_path: Path, clock: ScriptedClock, optimizers: Callable[[Rated], Sequence[Any]]
):
    check(*pair(tmp_path, lambda: Rated(clock, optimizers=optimizers)))


@pytest.mark.parametrize(("accumulated", "steps"), [(2, 3), (5, 1), (9, 1)])
def test_accumulated_batches_count_as_one_step(tmp_path: Path, clock: ScriptedClock, accumulated: int, steps: int):
    both = pair(tmp_path, lambda: Rated(clock), accumulate_grad_batches=accumulated)
    check(*both, batches=steps)


@pytest.mark.parametrize(
    "options", [{"precision": "bf16-mixed"}, {"gradient_clip_val": 0.1}, {"limit_train_batches": 1}]
)
def test_precision_clipping_and_one_batch_an_epoch(tmp_path: Path, clock: ScriptedClock, options: dict[str, Any]):
    check(*pair(tmp_path, lambda: Rated(clock), **options), batches=options.get("limit_train_batches", BATCHES))


def test_weights_are_equal_to_the_bit_where_no_landing_is(tmp_path: Path, clock: ScriptedClock):
    modules = [Rated(clock) for _ in range(3)]
    fit(tmp_path / "none", modules[0], options={"ledger": False})
    for module, policy in zip(modules[1:], (LandsAfter(EPOCHS + 1), LandsAfter(1, landing=0.0)), strict=True):
        hooks: list[int] = []
        module.on_train_batch_end = lambda *_, module=module, hooks=hooks: hooks.append(  # type: ignore[method-assign]
            len(module.made[0]._optimizer_step_pre_hooks) + len(module.made[0]._optimizer_step_post_hooks)
        )
        policy.decide = lambda *_, policy=policy: LandsAfter.decide(LandsAfter(99), *_)  # type: ignore[method-assign]
        fit(tmp_path / f"{policy.landing}", module, policy)
        assert set(hooks) == {0}
        for before, after in zip(modules[0].parameters(), module.parameters(), strict=True):
            assert torch.equal(before, after)


class NotedLBFGS(torch.optim.LBFGS):
    """Notes the length of every step, which is the learning rate from the second step on."""

    used: list[float]

    def _add_grad(self, step_size: Any, direction: torch.Tensor) -> None:
        vars(self).setdefault("used", []).append(float(step_size))
        super()._add_grad(step_size, direction)


def test_an_optimizer_that_reads_its_rate_before_its_closure_is_scaled(tmp_path: Path, clock: ScriptedClock):
    def make() -> Rated:
        def made(module: Rated) -> Sequence[Any]:
            return [NotedLBFGS(module.parameters(), lr=RATE, max_iter=1, tolerance_grad=0, tolerance_change=0)]

        return Rated(clock, optimizers=made, schedule="linear")

    landed, plain, callback = pair(tmp_path, make)

    expected = factors(callback.accountant.landing, (BEGINS + LENGTH) * BATCHES)
    rates = [rate * factor for rate, factor in zip(plain.made[0].used, expected, strict=False)]
    assert landed.made[0].used == pytest.approx(rates, rel=1e-6, abs=0)
    assert landed.between == plain.between[: len(landed.between)]


class SetsItsRate(Rated):
    """Sets the rate in every step by itself, as a warm-up by hand does. Notes what it reads there."""

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor | None:
        self.seen = self.made[0].param_groups[0]["lr"]
        for group in self.made[0].param_groups:
            group["lr"] = RATE / (1 + self.global_step)
        return super().training_step(batch, batch_idx)

    def configure_optimizers(self) -> Any:
        return self.made[0]


def test_a_rate_that_the_training_step_sets_is_scaled_too(tmp_path: Path, clock: ScriptedClock):
    landed, plain, callback = pair(tmp_path, lambda: SetsItsRate(clock))

    check(landed, plain, callback)
    assert landed.seen == RATE / ((BEGINS + LENGTH) * BATCHES - 1)


def test_everybody_sees_the_schedule_and_our_numbers_show_the_landing(tmp_path: Path, clock: ScriptedClock):
    module, logger = Rated(clock, schedule="lambda", interval="epoch"), CSVLogger(tmp_path)
    callback, _ = fit(tmp_path, module, LandsAfter(BEGINS), callbacks=[LearningRateMonitor()], logger=logger)

    *_, before, middle, last = callback.accountant.history
    whole = [RATE * (1 - 0.9 * (epoch + 1) / EPOCHS) for epoch in (BEGINS - 1, BEGINS)]  # Lightning has stepped already
    assert [before.learning_rate, middle.learning_rate] == pytest.approx([whole[0], whole[1] / 2])
    assert last.learning_rate == 0
    with Path(logger.log_dir, "metrics.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    shown = [float(row["green/landing"]) for row in rows if row["green/landing"]]
    assert shown == [1.0, 0.5, 0.0]
    monitored = [float(row["lr-NotedSGD"]) for row in rows if row["lr-NotedSGD"]]
    assert monitored == pytest.approx([RATE * (1 - 0.9 * epoch / EPOCHS) for epoch in range(BEGINS + LENGTH)])
    ledger = read_ledger(callback.accountant.ledger)
    assert ledger.plan.landing == callback.accountant.landing
    assert ledger.stop_reason == "Enough. The learning rate went to zero before the stop."


class Raises(NotedSGD):
    """Raises in the middle of a landing, after it has read the rate."""

    error: type[BaseException] = RuntimeError

    def _init_group(self, group: dict[str, Any], *more: Any) -> Any:
        found = super()._init_group(group, *more)
        if len(self.used) == BEGINS * BATCHES + 4:
            raise self.error
        return found


@pytest.mark.parametrize(("error", "raised"), [(RuntimeError, RuntimeError), (KeyboardInterrupt, SystemExit)])
def test_a_step_that_raises_leaves_the_rate_of_the_schedule(
    tmp_path: Path, clock: ScriptedClock, error: type[BaseException], raised: type[BaseException]
):
    def made(module: Rated) -> Sequence[Any]:
        return [type("Optimizer", (Raises,), {"error": error})(module.parameters(), lr=RATE)]

    module = Rated(clock, optimizers=made, schedule="lambda", interval="epoch")
    with pytest.raises(raised):
        fit(tmp_path, module, LandsAfter(BEGINS))

    (optimizer,) = module.made
    assert optimizer.param_groups[0]["lr"] == module.between[-1][0]
    assert optimizer.used[-1] < module.between[-1][0]
    assert not optimizer._optimizer_step_pre_hooks


def test_the_notes_are_the_rates(clock: ScriptedClock):
    """The tests above rest on this."""
    optimizer = NotedSGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    optimizer.param_groups[0]["params"][0].grad = torch.ones(1)
    optimizer.step()
    assert isinstance(optimizer, Noted)
    assert (optimizer.used, optimizer.param_groups[0]["params"][0].item()) == ([0.5], -0.5)
