"""Client libraries of others that cannot be installed beside our own requirements.

Each is installed once into the environment that runs the tests, by its own package manager.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

CACHE = Path(sys.prefix) / "foreign-clients"


def python_package(requirement: str) -> Path:
    """A folder for PYTHONPATH with this package, and without what it requires."""
    return _installed(
        requirement,
        lambda folder: [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"),
            *("--no-deps", "--target", str(folder), requirement),
        ],
    )


def node_packages(*requirements: str) -> Path:
    """A folder with these packages for Node.js; skips the test where there is no Node.js."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("there is no Node.js with npm on PATH, so its clients cannot be tried")
    return _installed(
        "+".join(requirements),
        lambda folder: [
            *("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder)),
            *requirements,
        ],
    )


def _installed(name: str, command: Callable[[Path], list[str]]) -> Path:
    folder = CACHE / "".join(letter if letter.isalnum() or letter in "=.+-" else "_" for letter in name)
    stamp = folder.with_suffix(folder.suffix + ".installed")
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run in several processes
        if not stamp.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            done = subprocess.run(command(folder), capture_output=True, text=True, timeout=600, check=False)
            assert done.returncode == 0, f"{name} could not be installed: {done.stdout}{done.stderr}"
            stamp.touch()
    return folder
