"""The adapters that must pass the contract, by the framework that each needs."""

DRIVERS = {
    "lightning": "frameworks.contract.lightning_driver:Lightning",
    "pytorch_lightning": "frameworks.contract.lightning_driver:PytorchLightning",
    "keras": "frameworks.contract.keras_driver:Keras",
}
