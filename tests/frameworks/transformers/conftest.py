"""Trainings of Hugging Face's Trainer whose batches take scripted time."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
from frameworks.contract.driver import Training

from green_callbacks.clock import ScriptedClock


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Let no logger of this machine join, and no warning of the frameworks fail a test."""
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)


@pytest.fixture
def training(tmp_path) -> Training:
    return Training(folder=tmp_path, clock=ScriptedClock())
