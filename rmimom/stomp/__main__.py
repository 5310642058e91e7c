"""Shows the frames of a recorded conversation: `python -m rmimom.stomp < bytes-of-a-client`."""

from __future__ import annotations

import sys

import click

from rmimom.stomp.codec import CLIENT_COMMANDS, SERVER_COMMANDS, FrameReader


def main() -> None:
    """Write one line for each frame on standard input."""
    reader = FrameReader(commands=CLIENT_COMMANDS | SERVER_COMMANDS)
    reader.feed(sys.stdin.buffer.read())
    for frame in reader.frames():
        click.echo(repr(frame))


if __name__ == "__main__":
    main()
