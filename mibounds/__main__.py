"""`python -m mibounds`, which torchrun can start: `torchrun --nproc_per_node 2 -m mibounds pretrain ...`."""

from __future__ import annotations

from mibounds.cli.main import main

if __name__ == "__main__":
    main()
