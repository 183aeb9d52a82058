"""Values by peers: runs by itself, in the environment of the peers.

    python _values_peers.py FOLDER

FOLDER holds a file CASE.npz for each case, of x and y, and z or none. Prints JSON: the nats by case and contender, and
the versions.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

K = 3
Value = Callable[..., float]


def scikit_learn() -> dict[str, Value]:
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression
    from sklearn.metrics import mutual_info_score

    return {
        "table": lambda x, y: float(mutual_info_score(x, y)),
        "classes": lambda x, y: float(mutual_info_classif(x[:, None], y, n_neighbors=K, random_state=0)[0]),
        "neighbours": lambda x, y: float(
            mutual_info_regression(x[:, None], y, n_neighbors=K, random_state=0)[0]
        ),
    }


def npeet_plus() -> dict[str, Value]:
    import npeet_plus

    def columns(*sides: np.ndarray) -> list[Any]:
        return [side[:, None].tolist() for side in sides]

    return {
        "table": lambda x, y: float(npeet_plus.midd(*columns(x, y), base=math.e)),
        "table_given": lambda x, y, z: float(npeet_plus.cmidd(*columns(x, y, z), base=math.e)),
        "classes": lambda x, y: float(npeet_plus.micd(*columns(x, y), k=K, base=math.e)),
        "neighbours": lambda x, y: float(npeet_plus.mi(*columns(x, y), k=K, base=math.e)),
        "neighbours_given": lambda x, y, z: float(npeet_plus.cmi(*columns(x, y, z), k=K, base=math.e)),
    }


CONTENDERS = {"scikit-learn": scikit_learn, "npeet-plus": npeet_plus}


def main(folder: Path) -> None:
    answers: dict[str, Any] = {"versions": {}, "nats": {}}
    for name, of_cases in CONTENDERS.items():
        values = of_cases()
        answers["versions"][name] = importlib.metadata.version(name)
        for path in sorted(folder.glob("*.npz")):
            definition = path.stem.partition("-")[0]
            if definition in values:
                with np.load(path) as held:
                    sides = [held[side] for side in ("x", "y", "z") if side in held.files]
                answers["nats"][f"{path.stem}/{name}"] = values[definition](*sides)
    print(json.dumps(answers))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
