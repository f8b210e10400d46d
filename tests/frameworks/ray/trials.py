"""Trials whose spending is known beside what they report. Ray's workers import this module."""

import json
import os
import tempfile
import time
from pathlib import Path

from ray import tune

from green_callbacks import EnergyAccountant
from green_callbacks.clock import ScriptedClock
from green_callbacks.ray import report, trial_accountant
from green_callbacks.sources import ScriptedSource


class AskedError(Exception):
    """The failure that a trial was asked for."""


def scripted(clock, **options):
    """Options of an accountant on which an hour costs 1 kWh and 1 kg."""
    source = ScriptedSource(1000.0, clock=clock)
    return {"sources": [source], "clock": clock, "sinks": [], "carbon_intensity": 1000.0, "pue": 1.0, **options}


def accountant_of(config, clock):
    folder = Path(config["folder"])
    if config.get("is_plain"):  # of a user who does not know trial_accountant()
        return EnergyAccountant(**scripted(clock, policies=[], ledger=False))
    return trial_accountant(folder / "ledgers", **scripted(clock, policies=config.get("policies", [])))


def spend(config):
    """Train for ``epochs`` epochs of about ``kg`` each, and note each in a file that nobody else writes to."""
    folder, clock = Path(config["folder"]), ScriptedClock()
    accountant = accountant_of(config, clock)
    truth = folder / f"{tune.get_context().get_trial_id()}-{os.getpid()}.truth"
    begun = load(accountant) if config.get("saves") else 0
    with accountant:
        for epoch in range(begun, config["epochs"]) if config.get("saves") else accountant.epochs(config["epochs"]):
            if config.get("saves"):
                accountant.begin_epoch(epoch)
            kg = config["kg"] * (1 + epoch % 3) / 2
            clock.advance(3600.0 * kg)
            time.sleep(0.01)
            if epoch == config.get("fails_at") and not (folder / "failed").exists():
                (folder / "failed").touch()
                raise AskedError
            accountant.end_epoch()
            with truth.open("a") as file:
                file.write(f"{kg}\n")
            with tempfile.TemporaryDirectory() as place:
                saved = save(accountant, epoch, Path(place)) if config.get("saves") else None
                report(accountant, {"score": config["kg"]}, checkpoint=saved)


def load(accountant):
    """Go on from the checkpoint of the trial, if there is one."""
    found = tune.get_checkpoint()
    if found is None:
        return 0
    with found.as_directory() as place:
        state = json.loads((Path(place) / "state.json").read_text())
    accountant.load_state_dict(state["green"])
    return state["epoch"] + 1


def save(accountant, epoch, place):
    (place / "state.json").write_text(json.dumps({"epoch": epoch, "green": accountant.state_dict()}))
    return tune.Checkpoint.from_directory(place)


def spent_truly(folder):
    """The spending of all epochs that ended, in kg."""
    return sum(float(line) for path in Path(folder).glob("*.truth") for line in path.read_text().split())


def train_digits(config):
    """Train a module of Lightning, whose monitor reports to Ray Tune."""
    from lightning.pytorch import Trainer
    from lightning.pytorch.demos.boring_classes import BoringModel
    from ray.tune.integration.pytorch_lightning import TuneReportCheckpointCallback

    from green_callbacks.lightning import EmissionsMonitor

    clock = ScriptedClock()

    class Slow(BoringModel):
        def on_train_epoch_end(self):
            super().on_train_epoch_end()
            clock.advance(3600.0 * config["kg"])

    monitor = EmissionsMonitor(accountant=accountant_of(config, clock))
    told = TuneReportCheckpointCallback(on="train_epoch_end", save_checkpoints=False)
    trainer = Trainer(
        max_epochs=config["epochs"],
        limit_train_batches=2,
        limit_val_batches=1,
        callbacks=[monitor, told],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=config["folder"],
        accelerator="cpu",
    )
    trainer.fit(Slow())
