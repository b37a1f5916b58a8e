"""Run by another Python, as a file: says in one line of JSON what that Python is and which packages it can import.

python python_probe.py PACKAGE…

Works in any Python from 3.8 on, since telling that one is too old is part of its work.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from importlib import metadata


def main(names: list[str]) -> None:
    sys.path.pop(0)  # the folder of this file, which is the add-on's
    os.environ["HF_HUB_OFFLINE"] = "1"
    packages = {name: probe(name) for name in names}
    has_torch = packages.get("torch", {}).get("error") == ""
    answer = {
        "version": list(sys.version_info[:3]),
        "packages": packages,
        "devices": devices() if has_torch else [],
    }
    print("\n" + json.dumps(answer))


def probe(name: str) -> dict[str, str]:
    """Version and, when it cannot be imported, why not."""
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return {"version": "", "error": "not installed"}
    gone = missing_files(name)
    if gone:
        return {"version": version, "error": f"{gone} of its files are missing"}
    try:
        importlib.import_module(name)
    except Exception as error:  # whatever a broken package raises is the answer
        return {"version": version, "error": f"{type(error).__name__}: {error}"}
    return {"version": version, "error": ""}


def missing_files(name: str) -> int:
    """How many of the files that were installed with a package are gone; compiled copies do not count."""
    files = metadata.files(name) or []
    return sum(not os.path.exists(file.locate()) for file in files if file.suffix != ".pyc")  # noqa: PTH110


def devices() -> list[str]:
    """What torch computes on here."""
    torch = importlib.import_module("torch")
    metal = getattr(torch.backends, "mps", None)
    return ["cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * bool(metal and metal.is_available())


if __name__ == "__main__":
    main(sys.argv[1:])
