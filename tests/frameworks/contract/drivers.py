"""The adapters that must pass the contract, by the framework that each needs."""

from importlib.util import find_spec

DRIVERS = {
    "lightning": "frameworks.contract.lightning_driver:Lightning",
    "pytorch_lightning": "frameworks.contract.lightning_driver:PytorchLightning",
    "keras": "frameworks.contract.keras_driver:Keras",
    "transformers": "frameworks.contract.transformers_driver:Transformers",
    "ignite": "frameworks.contract.ignite_driver:Ignite",
}

NEEDED_TOO = {"transformers": "accelerate"}
"""What an adapter needs beside its framework. The API reference is made with transformers alone."""

INSTALLED = [name for name in DRIVERS if find_spec(name) and find_spec(NEEDED_TOO.get(name, name))]
"""The adapters whose framework is installed here."""

LOOPS = {
    "loop": "frameworks.contract.loop_driver:Loop",
    "loop on two ranks": "frameworks.contract.loop_driver:TwoRanks",
}
"""Loops of a user's own, which need no adapter. They pass the same contract."""

PRESENT = [*INSTALLED, *(LOOPS if find_spec("torch") and find_spec("lightning") else ())]
"""All that is driven here. The loops are driven in one environment, because they are the same in each."""
