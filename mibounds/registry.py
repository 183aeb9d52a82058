"""Methods found by their files: a package's modules are its methods, a module's one class is the method.

A folder named on the environment variable MIBOUNDS_PATH (several are joined as in PATH) may hold `bounds/`,
`distributions/`, `critics/`, `estimators/` and `studies/` of the user's own; each file there counts as if it lay here.
Listing names imports no method, hence no torch.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
from pathlib import Path
from typing import Any

from mibounds.errors import MiboundsError, StudyError, UnknownNameError, one_line

NOT_METHODS = ("base",)


def user_folders(name: str) -> list[str]:
    """The existing folders called `name` under the entries of MIBOUNDS_PATH."""
    entries = os.environ.get("MIBOUNDS_PATH", "").split(os.pathsep)
    return [str(Path(entry, name)) for entry in entries if entry and Path(entry, name).is_dir()]


def names(package: str) -> list[str]:
    """File names, without suffix, of the methods in `package`, sorted."""
    spec = importlib.util.find_spec(package)  # finds the package without running it
    path = (
        [*(spec.submodule_search_locations or []), *user_folders(package.rpartition(".")[2])] if spec else []
    )
    found = {module.name for module in pkgutil.iter_modules(path) if not module.ispkg}
    return sorted(name for name in found if name not in NOT_METHODS and not name.startswith("_"))


def load(package: str, kind: str, name: str, base: type) -> type[Any]:
    """The one subclass of `base` that the file `name` of `package` defines."""
    known = names(package)
    if name not in known:
        raise UnknownNameError(kind, name, known)
    try:
        module = importlib.import_module(f"{package}.{name}")
    except MiboundsError:
        raise
    except Exception as error:  # the file's own code, which may be the user's
        raise StudyError(f"the {kind} {name!r} cannot be loaded: {one_line(error)}") from error
    defined = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == module.__name__
        and not value.__name__.startswith("_")
    ]
    if len(defined) != 1:
        raise StudyError(
            f"{module.__file__} must define exactly one public {base.__name__}; "
            f"it defines {len(defined)}: {[cls.__name__ for cls in defined]}"
        )
    return defined[0]
