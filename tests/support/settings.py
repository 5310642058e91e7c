"""Files of settings."""

from __future__ import annotations

from pathlib import Path


def write(directory: Path, text: str) -> Path:
    """A file of settings."""
    path = directory / "rmimom.toml"
    path.write_text(text, encoding="utf-8")
    return path
