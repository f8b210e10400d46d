"""Finds the devices on which a process of the trainer trains."""

from typing import Any

import torch


def devices_of(args: Any, model: Any) -> list[torch.device]:
    """Return all devices of a process. A model may lie on several GPUs, or be copied to all of them.

    Args:
        args: The arguments of the training.
        model: The model, or None.

    Raises:
        Exception: A model of the user may raise anything.
    """
    devices = {torch.device(args.device): None}
    if model is not None:
        devices |= {parameter.device: None for parameter in model.parameters()}
    if args.n_gpu > 1 and torch.cuda.is_available():  # nn.DataParallel
        devices |= {torch.device("cuda", number): None for number in range(args.n_gpu)}
    numbered = {_numbered(device): None for device in devices}
    on_gpus = [device for device in numbered if device.type not in ("cpu", "meta")]
    return on_gpus or list(numbered)


def _numbered(device: torch.device) -> torch.device:
    """Return a device with its number, because ``cuda`` and ``cuda:0`` are not equal."""
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device
