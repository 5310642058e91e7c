"""The tests of stomp.py once more, with version 8 of it, as programs of the lecture's time have it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.foreign import python_package
from support.processes import ROOT

VERSION = "8.2.0"
TESTS = Path(__file__).with_name("test_stomp_clients.py")
CHECK = (
    f"import importlib.metadata, stomp; assert importlib.metadata.version('stomp.py') == '{VERSION}', stomp.__file__"
)


@pytest.mark.timeout(600)
def test_everything_with_stomp_py_8() -> None:
    folder = python_package(f"stomp.py=={VERSION}")
    path = os.pathsep.join([str(folder), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", CHECK], env=environment, timeout=60, check=True)
    # What it does not close of its sockets and what it deprecates is no fault of ours.
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-W",
        "ignore",
        str(TESTS),
    ]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b\d{2} passed", done.stdout), done.stdout
