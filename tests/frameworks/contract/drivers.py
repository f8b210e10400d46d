"""The adapters that must pass the contract, by the framework that each needs."""

from importlib.util import find_spec

DRIVERS = {
    "lightning": "frameworks.contract.lightning_driver:Lightning",
    "pytorch_lightning": "frameworks.contract.lightning_driver:PytorchLightning",
    "keras": "frameworks.contract.keras_driver:Keras",
    "ignite": "frameworks.contract.ignite_driver:Ignite",
}

INSTALLED = [name for name in DRIVERS if find_spec(name)]
"""The adapters whose framework is installed here."""
