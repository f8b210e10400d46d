"""The operations and steps of an epoch, where a ThroughputMonitor or a resume makes them special."""

from typing import Any

import pytest
from frameworks.lightning.tiny import BATCHES, TRAIN_JOULES, TinyModule, monitor, trainer
from lightning.pytorch.callbacks import ModelCheckpoint, ThroughputMonitor

from green_callbacks.clock import ScriptedClock

FLOPS = 2.5e15
"""Operations of a batch."""


def fitted(folder: Any, *others: Any, flops: Any = FLOPS, **options: Any) -> Any:
    module = TinyModule(ScriptedClock())
    if flops is not None:
        module.flops_per_batch = flops
    callback = monitor(module.clock, sinks=[], ledger=False)
    trainer(folder, callback, *others, max_epochs=2, **options).fit(module)
    return callback.accountant


def throughput() -> ThroughputMonitor:
    return ThroughputMonitor(batch_size_fn=len)


@pytest.mark.parametrize("options", [{}, {"accumulate_grad_batches": 2}])
def test_an_epoch_has_the_operations_of_its_batches(tmp_path, options):
    accountant = fitted(tmp_path, throughput(), **options)

    assert [record.flops for record in accountant.history if record.epoch is not None] == [BATCHES * FLOPS] * 2
    assert accountant.close().effort.grams_per_exaflop is not None


@pytest.mark.parametrize("flops", [FLOPS, None])
def test_without_the_monitor_an_attribute_of_that_name_may_mean_anything(tmp_path, flops):
    assert fitted(tmp_path, flops=flops).close().flops is None


@pytest.mark.filterwarnings("ignore:When using the `ThroughputMonitor`")
def test_a_module_that_states_none_has_none(tmp_path):
    assert fitted(tmp_path, throughput(), flops=None).close().flops is None


@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint", "ignore:Checkpoint directory")
@pytest.mark.parametrize("has_account", [True, False])
@pytest.mark.parametrize("step", [3, 4, 6])
def test_a_resume_inside_an_epoch_counts_the_steps_that_follow(tmp_path, step, has_account):
    clock = ScriptedClock()
    saving = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=step, save_top_k=-1)
    first = [monitor(clock, sinks=[])] if has_account else []
    trainer(tmp_path, *first, saving, max_epochs=2, enable_checkpointing=True).fit(TinyModule(clock))
    resumed = monitor(clock, sinks=[])

    going_on = trainer(tmp_path, resumed, max_epochs=3)
    going_on.fit(TinyModule(clock), ckpt_path=tmp_path / f"step={step}.ckpt", weights_only=True)

    effort = resumed.accountant.close().effort
    done = 3 * BATCHES - step + (2 * BATCHES if has_account else 0)
    assert effort.steps.units == done
    assert effort.joules_per_step.value == pytest.approx(TRAIN_JOULES / BATCHES)
