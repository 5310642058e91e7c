"""Compare what a wheel holds with what stands in the four folders: `python .ci/check_wheel.py rmimom-….whl`."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Each folder and the name under which it is installed.
FOLDERS = {
    "rmimom": "rmimom",
    "nameserver": "rmimom/nameserver",
    "admin": "rmimom/admin",
    "tests/chaos/rmimom_chaos": "rmimom_chaos",
}


def expected() -> set[str]:
    """Every file of the folders that should be installed."""
    found = set()
    for folder, installed in FOLDERS.items():
        for path in (ROOT / folder).rglob("*"):
            inside = path.relative_to(ROOT / folder)
            # rglob does not go into links, but it names them.
            if path.is_file() and "__pycache__" not in inside.parts:
                found.add(f"{installed}/{inside.as_posix()}")
    return found


def main(wheel: str) -> str | None:
    """Return what is wrong with the wheel, or None."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [top_level] = [
            archive.read(name).decode().split() for name in names if name.endswith("dist-info/top_level.txt")
        ]
    held = {name for name in names if ".dist-info/" not in name}
    problems = [f"missing: {name}" for name in sorted(expected() - held)]
    problems += [f"not wanted: {name}" for name in sorted(held - expected())]
    if sorted(top_level) != ["rmimom", "rmimom_chaos"]:
        problems.append(f"top_level.txt says {top_level}")
    if problems:
        return f"{wheel}:\n  " + "\n  ".join(problems)
    sys.stdout.write(f"{Path(wheel).name}: {len(held)} files, as they should be\n")
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
