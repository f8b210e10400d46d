"""Train with the options of the callback in a YAML file.

Run it with ``python lightning_cli.py --config lightning_cli.yaml``.
"""

from lightning.pytorch.cli import LightningCLI
from lightning_digits import DigitClassifier, loaders

if __name__ == "__main__":
    training, validation = loaders()
    cli = LightningCLI(DigitClassifier, run=False, save_config_callback=None)
    cli.trainer.fit(cli.model, training, validation)
