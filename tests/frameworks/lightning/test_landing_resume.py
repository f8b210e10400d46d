"""A run that is resumed uses the learning rates of a run without an interruption."""

from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks.lightning.landed import BATCHES, EPOCHS, LandsAfter, Rated, fit, two_layers
from frameworks.lightning.landing_killed import BEGINS, SHARE, checkpoints
from frameworks.lightning.tiny import trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from support.warm_python import run_script
from torch.utils.data import DataLoader

from green_callbacks import CarbonBudget
from green_callbacks.clock import ScriptedClock

HERE = Path(__file__).parent
FIRST, END = BEGINS * BATCHES, (BEGINS + 3) * BATCHES
KEY = "green_callbacks.EmissionsMonitor"


def policy() -> LandsAfter:
    return LandsAfter(BEGINS, SHARE)


def exactly(rates: list[float]) -> Any:
    return pytest.approx(rates, rel=1e-12, abs=0)


@pytest.fixture
def whole(tmp_path: Path, clock: ScriptedClock) -> Rated:
    """A run without an interruption, whose checkpoints lie in ``saved``."""
    module = Rated(clock)
    saving = {"callbacks": checkpoints(tmp_path / "saved"), "enable_checkpointing": True}
    fit(tmp_path / "whole", module, policy(), **saving)
    assert len(module.made[0].used) == END
    return module


def saved_at(folder: Path, step: int) -> Path:
    """Return a checkpoint of an epoch, or a checkpoint inside an epoch where none ends."""
    whole = folder / "saved" / f"whole-step={step}.ckpt"
    return whole if whole.exists() else folder / "saved" / f"step={step}.ckpt"


@pytest.mark.parametrize("step", [12, 20, 28, FIRST, 32, 35, 36, 40, 44])
def test_a_resumed_fit_uses_the_rates_of_an_uninterrupted_one(
    tmp_path: Path, clock: ScriptedClock, whole: Rated, step: int
):
    module = Rated(clock)
    callback, fitted = fit(tmp_path / "resumed", module, policy(), ckpt_path=saved_at(tmp_path, step))

    assert fitted.global_step == END
    assert module.made[0].used == exactly(whole.made[0].used[step:])
    assert module.between == whole.between[step:]
    assert not module.made[0]._optimizer_step_pre_hooks
    assert callback.accountant.history.epochs_done() == BEGINS + 3
    if step % BATCHES == 0:
        assert all(torch.equal(*both) for both in zip(module.parameters(), whole.parameters(), strict=True))


@pytest.mark.filterwarnings("ignore:Using ModelCheckpoint with manual optimization")
def test_two_optimizers_in_manual_optimization_go_on_exactly(tmp_path: Path, clock: ScriptedClock):
    modules = [Rated(clock, optimizers=two_layers, manual=True) for _ in range(2)]
    saving = {"callbacks": checkpoints(tmp_path / "saved"), "enable_checkpointing": True}
    fit(tmp_path, modules[0], policy(), **saving)
    step = 2 * FIRST + 8  # in the middle of an epoch
    fit(tmp_path, modules[1], policy(), ckpt_path=saved_at(tmp_path, step))

    for before, after in zip(modules[0].made, modules[1].made, strict=True):
        assert after.used == exactly(before.used[step // 2 :])


@pytest.mark.parametrize("step", [20, 32, 35])
def test_the_same_callback_goes_on_in_a_new_trainer(tmp_path: Path, clock: ScriptedClock, step: int):
    first, second = Rated(clock), Rated(clock)
    saving = {"callbacks": checkpoints(tmp_path / "saved"), "enable_checkpointing": True}
    callback, _ = fit(tmp_path, first, policy(), **saving)

    again = trainer(tmp_path, callback, max_epochs=EPOCHS)
    again.fit(second, ckpt_path=saved_at(tmp_path, step), weights_only=False)

    assert second.made[0].used == exactly(first.made[0].used[step:])


@pytest.mark.parametrize("killed_at", [31, 34, 38])
def test_a_killed_process_is_continued_by_another(tmp_path: Path, clock: ScriptedClock, whole: Rated, killed_at: int):
    folder = tmp_path / "killed"
    done = run_script([HERE / "landing_killed.py", folder, killed_at], tmp_path)
    assert done.returncode == -9, done.stderr
    step, last = max((int(path.stem.partition("=")[2]), path) for path in folder.glob("*.ckpt"))
    assert killed_at - 4 <= step <= killed_at

    module = Rated(clock)
    fit(folder, module, policy(), ckpt_path=last)

    assert module.made[0].used == exactly(whole.made[0].used[step:])


def test_without_the_state_of_the_monitor_the_run_is_a_new_one(tmp_path: Path, clock: ScriptedClock, whole: Rated):
    path = saved_at(tmp_path, FIRST + 5)
    checkpoint = torch.load(path, weights_only=False)
    del checkpoint["callbacks"][KEY]
    torch.save(checkpoint, path)

    module = Rated(clock)
    callback, fitted = fit(tmp_path / "new", module, policy(), ckpt_path=path)

    assert module.made[0].used[:BATCHES] == [rates[0] for rates in module.between[:BATCHES]]
    assert callback.accountant.landing.first_step == FIRST + 2 * BATCHES  # the rule has decided again
    assert fitted.global_step == callback.accountant.landing.end


@pytest.mark.parametrize("policies", [[], [LandsAfter(BEGINS, landing=0.0)]])
def test_a_run_that_lost_its_landing_says_so(
    tmp_path: Path, clock: ScriptedClock, whole: Rated, caplog: pytest.LogCaptureFixture, policies: list[Any]
):
    for each in policies:
        each.decide = lambda *_: LandsAfter.decide(LandsAfter(99), *_)
    module = Rated(clock)
    callback, _ = fit(tmp_path / "new", module, *policies, ckpt_path=saved_at(tmp_path, FIRST + 5))

    assert module.made[0].used == [rates[0] for rates in module.between]
    texts = [record.getMessage() for record in caplog.records]
    assert sum("inside a landing, but no policy has landing=" in text for text in texts) == 1
    assert any("inside a landing" in text for text in callback.accountant.close().notices)


@pytest.mark.parametrize("policies", [[], [policy()]])
def test_a_run_that_goes_on_after_its_landing_says_so(
    tmp_path: Path, clock: ScriptedClock, whole: Rated, caplog: pytest.LogCaptureFixture, policies: list[Any]
):
    module = Rated(clock)
    fit(tmp_path / "new", module, *policies, ckpt_path=saved_at(tmp_path, END))

    assert module.made[0].used[:BATCHES] == [rates[0] for rates in module.between[:BATCHES]]
    assert sum("after the end of its landing" in record.getMessage() for record in caplog.records) == 1


def test_a_checkpoint_with_the_last_batch_of_an_epoch_goes_on_in_the_landing(
    tmp_path: Path, clock: ScriptedClock, whole: Rated
):
    module = Rated(clock)
    fit(tmp_path / "new", module, policy(), ckpt_path=tmp_path / "saved" / "step=40.ckpt")

    assert module.made[0].used == exactly(whole.made[0].used[40:])


class Long(Rated):
    """Epochs of 100 batches, in one of which memory runs out."""

    fails_at: int | None = None

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor | None:
        if self.global_step == self.fails_at:
            raise MemoryError
        return super().training_step(batch, batch_idx)

    def train_dataloader(self) -> DataLoader[torch.Tensor]:
        return DataLoader(torch.linspace(-1, 1, 400).view(-1, 2), batch_size=2)


def test_a_budget_that_is_resumed_inside_its_landing_pays_for_the_work_that_was_lost(
    tmp_path: Path, clock: ScriptedClock
):
    budget = CarbonBudget("80 kJ", landing=0.2)
    first, second = (Long(clock, schedule="exponential", planned=100) for _ in range(2))
    first.fails_at = 228
    saved = ModelCheckpoint(tmp_path / "saved", every_n_train_steps=25, save_top_k=-1, filename="{step}")
    with pytest.raises(MemoryError):
        fit(tmp_path, first, budget, callbacks=[saved], enable_checkpointing=True)

    callback, fitted = fit(tmp_path, second, budget, ckpt_path=saved_at(tmp_path, 225))

    landing, spent = callback.accountant.landing, callback.accountant.close().energy_joules
    assert landing.begun_step < 225 < landing.first_step  # shortened on the way
    assert fitted.global_step == landing.end
    assert 0.95 * 80_000 < spent <= 80_000
    factors = [used / rates[0] for used, rates in zip(second.made[0].used, second.between, strict=True)]
    assert factors[:3] == pytest.approx([first.made[0].used[at] / first.between[at][0] for at in (225, 226, 227)])
    assert factors == sorted(factors, reverse=True)
