"""One contract for every adapter whose framework is installed."""

import logging
import warnings
from importlib import import_module

import pytest
from frameworks.contract.driver import Driver, Training
from frameworks.contract.drivers import DRIVERS, LOOPS, PRESENT

from green_callbacks.clock import ScriptedClock


@pytest.fixture(params=PRESENT)
def driver(request) -> Driver:
    module, name = {**DRIVERS, **LOOPS}[request.param].split(":")
    driver = getattr(import_module(module), name)()
    for hint in driver.hints:
        warnings.filterwarnings("ignore", message=hint)
    for logger in ("lightning.pytorch", "pytorch_lightning"):
        logging.getLogger(logger).setLevel(logging.WARNING)
    return driver


@pytest.fixture
def training(tmp_path) -> Training:
    return Training(folder=tmp_path, clock=ScriptedClock())
