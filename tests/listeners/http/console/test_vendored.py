"""What is not ours among the console's static files is what its page says, with its licence."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

STATIC = Path(__file__).resolve().parents[4] / "rmimom" / "listeners" / "http" / "console" / "static"
VENDOR = STATIC / "vendor"


def listed() -> dict[str, list[str]]:
    """The rows of the table in vendor/README.md, by file."""
    rows: dict[str, list[str]] = {}
    for line in (VENDOR / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if re.fullmatch(r"[0-9a-f]{64}", cells[-1]):
            rows[cells[0]] = cells[1:]
    return rows


def test_every_file_is_listed_with_its_checksum() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir()}
    del found["README.md"]
    assert found == {name: cells[-1] for name, cells in listed().items()}


def test_each_has_its_licence_beside_it() -> None:
    for name, (library, *_) in listed().items():
        assert f"{library.lower()}.LICENSE" in listed(), name


def test_nothing_of_ours_asks_elsewhere() -> None:
    """Our own files name no other place, but for the names of XML."""
    for path in STATIC.iterdir():
        if path.is_file():
            text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
            assert not re.search(r"(https?:)?//[a-z0-9-]+\.[a-z]", text), path.name
