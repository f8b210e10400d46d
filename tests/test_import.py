import subprocess
import sys

import pytest

HEAVY = {
    "torch",
    "lightning",
    "pytorch_lightning",
    "keras",
    "ignite",
    "tensorflow",
    "jax",
    "tensorboard",
    "tensorboardX",
    "pynvml",
    "psutil",
    "numpy",
}
NETWORK = {"socket", "ssl", "urllib.request", "http.client", "requests"}


def modules_after(script):
    done = subprocess.run(
        [sys.executable, "-c", f"{script}\nimport sys; print(*sys.modules)"], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


def test_importing_the_package_imports_next_to_nothing():
    loaded = modules_after("import green_callbacks")
    assert "green_callbacks" in loaded
    assert loaded.isdisjoint(HEAVY | NETWORK)


@pytest.mark.parametrize(
    "room", ["accountant", "carbon", "policies", "records", "sinks", "sources", "summary", "window"]
)
def test_no_room_of_the_core_imports_a_framework_a_driver_or_the_network(room):
    assert modules_after(f"import green_callbacks.{room}").isdisjoint(HEAVY | NETWORK)


def test_no_public_name_needs_one_either():
    assert modules_after("from green_callbacks import *").isdisjoint(HEAVY | NETWORK)


def test_a_run_on_a_scripted_source_needs_none():
    script = """
from green_callbacks import CarbonBudget, EnergyAccountant, MarginalGain, Summary
from green_callbacks.sources import ScriptedSource
policies = [CarbonBudget("1 kg"), MarginalGain("val_acc")]
with EnergyAccountant(location="DE", sources=[ScriptedSource()], sinks=[Summary()], policies=policies) as a:
    for _ in a.epochs(2):
        a.observe({"val_acc": 0.5})
"""
    assert modules_after(script).isdisjoint(HEAVY)
