"""Memory that was not enough: how such an error is known, and what it still holds given back."""

from __future__ import annotations

import gc
import sys

# torch gives its own class for a device, and a plain RuntimeError for the machine's memory, or for what is so large
# that its bytes cannot even be counted.
OF_THE_MACHINE = ("DefaultCPUAllocator: can't allocate memory", "Storage size calculation overflowed")


def ran_out(error: BaseException) -> bool:
    """Whether it says that memory, the machine's or a device's, was not enough.

    Example:
        >>> ran_out(MemoryError()), ran_out(ValueError("no good"))
        (True, False)
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OF_THE_MACHINE)


def release() -> None:
    """Give back what nobody holds any more, on a device too."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
