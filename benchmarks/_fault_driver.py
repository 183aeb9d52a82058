"""One run of a study for `benchmarks.faults`: `python -m benchmarks._fault_driver FILE FOLDER ENGINE OPTIONS`.

Exit codes as those of `mibounds run`, and one line on standard error of why.
"""

from __future__ import annotations

import json
import sys

from mibounds import study
from mibounds.errors import MiboundsError
from mibounds.study import engines


def main(file: str, folder: str, engine: str, options: str) -> int:
    try:
        study.run(
            study.load(file), out=folder, device="cpu", engine=engines.make(engine, **json.loads(options))
        )
    except study.RunFailed as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    except MiboundsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
