"""A training's checks as TensorBoard logs."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from mibounds.errors import DataError
from mibounds.representation.loop import Pretrainer


class TensorBoard:
    """Writes each look at a training to a folder: loss, spread and effective rank a run, and examples a second.

    Args:
        folder: of the logs.
        training: at the step from which it goes on; what logs there hold of later steps is dropped.

    Raises: DataError if tensorboard is not installed.
    """

    def __init__(self, folder: str | Path, training: Pretrainer):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise DataError("logs need tensorboard: pip install 'mibounds[tensorboard]'") from error
        writer: Any = SummaryWriter
        self._writer = writer(str(folder), purge_step=training.steps_done + 1)
        self._written = len(training.checks)

    def write(self, training: Pretrainer) -> None:
        """The looks since it was called last."""
        new = training.checks[self._written :]
        for check in new:
            for name in ("loss", "spread", "effective_rank"):
                for run, value in enumerate(check[name]):
                    if value is not None:
                        self._writer.add_scalar(f"{name}/run_{run}", value, check["step"])
            self._writer.add_scalar("examples_a_second", check["examples_a_second"], check["step"])
        self._written += len(new)

    def __enter__(self) -> TensorBoard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
