import copy
import pickle
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning
from frameworks.lightning.tiny import EPOCH_JOULES, TinyBody, TinyModule, monitor, quiet, scripted, trainer
from lightning.pytorch import Callback

from green_callbacks import CarbonBudget, MarginalGain, Plan, Summary
from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import ConfigurationError
from green_callbacks.lightning import EmissionsMonitor, FrontCheckpoint
from green_callbacks.pytorch_lightning import EmissionsMonitor as OldRootMonitor


class OldRootModule(TinyBody, pytorch_lightning.LightningModule):
    def __init__(self, clock: ScriptedClock) -> None:
        super().__init__()
        self.script(clock, (0.5,))


def test_each_root_has_a_callback_of_its_own_class_tree():
    assert issubclass(EmissionsMonitor, Callback)
    assert issubclass(OldRootMonitor, pytorch_lightning.Callback)
    assert not issubclass(OldRootMonitor, Callback)
    assert EmissionsMonitor.__doc__ == OldRootMonitor.__doc__


def test_the_old_root_accounts_alike(tmp_path: Path, clock: ScriptedClock):
    callback = OldRootMonitor(**scripted(clock, policies=[CarbonBudget(f"{2.5 * EPOCH_JOULES} J")]))
    options = quiet(tmp_path) | {"max_epochs": 9, "logger": pytorch_lightning.loggers.TensorBoardLogger(tmp_path)}

    old = pytorch_lightning.Trainer(**options, callbacks=callback)
    old.fit(OldRootModule(clock))

    assert callback.accountant.close().energy_joules == pytest.approx(2 * EPOCH_JOULES, rel=1e-9)
    assert "green/emissions_total_g" in old.callback_metrics


def test_importing_one_root_leaves_the_other_out():
    code = (
        "import sys, green_callbacks.pytorch_lightning; "
        "assert not any(name.split('.')[0] == 'lightning' for name in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def other_root(folder: Path, *callbacks: Any) -> pytorch_lightning.Trainer:
    return pytorch_lightning.Trainer(
        **quiet(folder) | {"enable_checkpointing": True, "logger": False}, callbacks=list(callbacks)
    )


def test_a_monitor_of_the_other_root_accounts_alike(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock)
    trained = other_root(tmp_path, callback)

    trained.fit(OldRootModule(clock))

    assert callback.accountant.close().energy_joules == pytest.approx(3 * EPOCH_JOULES, rel=1e-9)
    assert "green/emissions_total_g" in trained.callback_metrics


@pytest.mark.parametrize("first", [True, False])
def test_a_checkpoint_of_the_other_root_is_refused_in_a_sentence_before_anything_runs(
    tmp_path: Path, clock: ScriptedClock, *, first: bool
):
    callbacks = [FrontCheckpoint("val_acc"), monitor(clock)]
    trained = other_root(tmp_path, *(callbacks if first else reversed(callbacks)))

    with pytest.raises(ConfigurationError, match=r"Import it from green_callbacks\.pytorch_lightning\.$"):
        trained.fit(OldRootModule(clock))

    assert clock.monotonic() == ScriptedClock().monotonic()


class TestForeign:
    """Other things than a Trainer that take callbacks."""

    def refused(self) -> Any:
        return pytest.raises(ConfigurationError, match=r"callback for the Trainer of Lightning.*EnergyAccountant")

    @pytest.mark.parametrize("arguments", [(), ("a",)])
    def test_fabric(self, clock: ScriptedClock, arguments: tuple[Any, ...]):
        from lightning import Fabric

        fabric = Fabric(accelerator="cpu", callbacks=[monitor(clock)])
        for hook in ("on_fit_start", "on_train_start", "on_train_epoch_start"):
            with self.refused():
                fabric.call(hook, *(fabric for _ in arguments))

    def test_transformers(self, clock: ScriptedClock):
        with self.refused():
            monitor(clock).on_init_end("arguments", "state", "control", model=None)

    def test_keras(self, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("KERAS_BACKEND", "torch")
        keras = pytest.importorskip("keras")
        for callback in (monitor(clock), FrontCheckpoint("val_acc")):
            with self.refused():
                keras.callbacks.CallbackList([callback], model=keras.Sequential(), epochs=1)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda callback: pickle.loads(pickle.dumps(callback))])
def test_a_copy_is_a_run_of_its_own(tmp_path: Path, clock: ScriptedClock, copied: Any):
    callback = monitor(clock)
    trainer(tmp_path, callback).fit(TinyModule(clock))

    other = copied(callback)

    assert len(other.accountant.history) == 0
    assert other.accountant.run_id != callback.accountant.run_id
    assert "log" not in vars(other), "of Lightning's, and with it the module and the trainer"


def test_options_are_checked_at_construction():
    with pytest.raises(ConfigurationError):
        EmissionsMonitor(pue=0.5)
    with pytest.raises(TypeError, match="did you mean 'location'"):
        EmissionsMonitor(locaton="DE")  # type: ignore[call-arg]


jsonargparse = pytest.importorskip("jsonargparse")


def parsed(init_args: dict[str, Any]) -> EmissionsMonitor:
    """What LightningCLI makes of a callback in YAML."""
    parser = jsonargparse.ArgumentParser()
    parser.add_argument("--callbacks", type=list[Callback])
    entry = {"class_path": "green_callbacks.lightning.EmissionsMonitor", "init_args": init_args}
    namespace = parser.parse_object({"callbacks": [entry]})
    (callback,) = parser.instantiate(namespace).callbacks
    assert isinstance(callback, EmissionsMonitor)
    return callback


def test_every_option_can_be_written_in_yaml():
    callback = parsed(
        {
            "location": "SE",
            "pue": 1.1,
            "policies": [
                {"class_path": "green_callbacks.CarbonBudget", "init_args": {"budget": "100 g"}},
                {"class_path": "green_callbacks.MarginalGain", "init_args": {"monitor": "val_acc"}},
            ],
            "sinks": [{"class_path": "green_callbacks.Summary"}],
            "sources": [{"class_path": "green_callbacks.sources.CpuModelSource", "init_args": {"tdp_watts": 65}}],
            "plan": {"epochs": 30},
            "ledger": False,
        }
    )

    settings = callback.accountant._settings
    assert settings.intensity is not None
    assert settings.intensity.at(datetime.now(UTC)).zone == "SE"
    assert settings.pue.value == 1.1
    assert settings.policies == (CarbonBudget("100 g"), MarginalGain("val_acc"))
    assert settings.plan == Plan(epochs=30)
    assert settings.ledger is False
    assert [type(sink) for sink in settings.sinks or ()] == [Summary]
    assert [type(source).__name__ for source in settings.sources or ()] == ["CpuModelSource"]


@pytest.mark.parametrize("written", [{"carbon_intensity": 50.0}, {"ledger": "run.jsonl"}, {"location": None}, {}])
def test_options_left_out_keep_their_defaults(written: dict[str, Any]):
    settings = parsed(written).accountant._settings

    assert settings.policies == ()
    assert settings.sinks is None


def test_the_help_explains_every_option(capsys: pytest.CaptureFixture[str]):
    parser = jsonargparse.ArgumentParser()
    parser.add_argument("--callback", type=Callback)

    with pytest.raises(SystemExit):
        parser.parse_args(["--callback.help=green_callbacks.lightning.EmissionsMonitor"])

    shown = " ".join(capsys.readouterr().out.split())
    assert "Power usage effectiveness of the facility" in shown
    assert "Where records go besides the ledger" in shown
