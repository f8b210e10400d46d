"""A rank whose GPU cannot be measured; there is none here, so its device is told and the fit runs on the processors."""

from pathlib import Path

import pytest
import torch
from frameworks.lightning.tiny import TinyModule, epochs, monitor, trainer

from green_callbacks import CarbonBudget
from green_callbacks._frameworks.lightning import accountant_start
from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import ScriptedSource

UUID = "8932f937-d72c-4106-c12f-20bd9faed9f6"


def processors(clock: ScriptedClock) -> list[ScriptedSource]:
    return [ScriptedSource(100.0, name="cpu:0", component="cpu", clock=clock)]


def test_it_is_said_and_stands_in_every_record(
    tmp_path: Path, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(accountant_start, "gpu_uuids", lambda _: (f"GPU-{UUID}", f"MIG-{UUID}"))
    monkeypatch.setattr(accountant_start, "gpu_name", lambda _: "cuda:0")
    callback = monitor(clock, sources=processors(clock), policies=[CarbonBudget("1 kg")])

    trainer(tmp_path, callback).fit(TinyModule(clock))

    assert caplog.text.count("uses a GPU (cuda) whose energy is not measured") == 1
    for record in epochs(callback.accountant.history):
        assert record.devices[f"gpu:GPU-{UUID}"].flags == ("unmeasured",)
    assert len(callback.accountant.close().notices) == 1


def test_a_fit_on_the_processors_misses_none(
    tmp_path: Path, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)  # by something else in this process
    callback = monitor(clock, sources=processors(clock))

    trainer(tmp_path, callback).fit(TinyModule(clock))

    assert "not measured" not in caplog.text
    assert list(epochs(callback.accountant.history)[0].devices) == ["cpu:0"]
