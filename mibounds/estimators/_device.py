"""The device that a name stands for."""

from __future__ import annotations

import torch

from mibounds.errors import ParameterError


def device_named(name: str) -> torch.device:
    """The name "auto" is CUDA if there is a device, else the CPU.

    Raises: ParameterError for a name that is no device, or one that cannot be used here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ParameterError(
            f"device must be auto, cpu, cuda or a torch device's name; got {name!r}"
        ) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ParameterError(
            f"device {name!r} was asked for and no CUDA device can be used here; take cpu or auto"
        )
    return device
