"""Messages on the command line, where a recorded conversation is not enough: bytes, files, streams, other people."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from click.testing import Result
from support.admin import desk
from support.processes import TIME_LIMIT, wait_for

from rmimom.admin.failure import harmless
from rmimom.admin.output import as_json


def ok(ended: Result) -> Result:
    """The command, which must have gone well."""
    assert ended.exit_code == 0, ended.stderr
    return ended


def test_bodies_come_from_files_and_go_to_files_as_they_are(tmp_path: Path) -> None:
    body = bytes(range(256))
    (tmp_path / "body").write_bytes(body)
    with desk(tmp_path) as at:
        ok(at.run("send", "q", "--file", tmp_path / "body", "--kind", "bytes"))
        ok(at.run("show-message", "q", "2", "--save", tmp_path / "saved"))
        assert (tmp_path / "saved").read_bytes() == body
        assert ok(at.run("receive", "q", "--raw")).stdout_bytes == body + b"\n"
        refused = at.run("send", "q", "--file", tmp_path / "body")
        assert (refused.exit_code, "no UTF-8 text at byte 128" in refused.stderr) == (2, True)
        missing = at.run("show-message", "q", "2", "--save", tmp_path / "saved")
        assert missing.exit_code == 1


def test_nothing_that_is_shown_speaks_to_a_terminal(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07 \x9b2J"
    with desk(tmp_path) as at:
        ok(at.run("send", "q", evil, "-p", f"text={evil}", "--type", evil, "--correlation-id", evil))
        for arguments in (("browse", "q"), ("show-message", "q", "2"), ("trace", "2"), ("browse", "q", "--json")):
            shown = ok(at.run(*arguments)).stdout
            assert not {"\x1b", "\x07", "\x9b"} & set(shown), arguments
            assert "owned" in shown or arguments[0] == "trace"
        [found] = json.loads(ok(at.run("browse", "q", "--json")).stdout)
        assert found["type"] == evil
    assert harmless("a\x1bb\nc") == "a\\x1bb\\x0ac"
    assert json.loads(as_json("\x9b\x7f")) == "\x9b\x7f"


def test_a_tail_shows_what_comes(tmp_path: Path) -> None:
    with desk(tmp_path) as at:
        ok(at.run("queue", "create", "q"))
        tails: list[Result] = []
        thread = threading.Thread(target=lambda: tails.append(at.run("tail", "q", "--limit", "2", "-o", "jsonl")))
        thread.start()
        wait_for(lambda: at.room.sampler.tails.open, "a tail")
        # Not by the command line: a thread of this process has its output now.
        for body in ("one", "two"):
            at.do(at.room.post("/queues/q/messages", {"body": body}))
        thread.join(TIME_LIMIT)
        assert [json.loads(line)["preview"] for line in ok(tails[0]).stdout.splitlines()] == ["one", "two"]


@pytest.mark.parametrize("limit", [None, 7])
def test_an_order_goes_on_until_all_is_done(tmp_path: Path, limit: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rmimom.admin.selecting._AT_ONCE", 5)
    with desk(tmp_path) as at:
        ok(at.run("send", "q", "x", "--count", "12"))
        more = () if limit is None else ("--limit", limit)
        assert ok(at.run("move", "q", "other", "--all", "--dry-run", *more)).stdout.startswith(
            f"would have moved {limit or 12} messages"
        )
        assert ok(at.run("move", "q", "other", "--all", *more)).stdout.startswith(f"moved {limit or 12} messages")
        found = json.loads(ok(at.run("queue", "show", "other", "--json")).stdout)
        assert found["statistics"]["pending"] == (limit or 12)


def test_a_viewer_may_look_and_no_more(tmp_path: Path) -> None:
    with desk(tmp_path) as at:
        ok(at.run("send", "q", "x"))
        ok(at.run("--user", "vic", "browse", "q"))
        for order in (("queue", "purge", "q", "--yes"), ("send", "q", "y"), ("receive", "q")):
            refused = at.run("--user", "vic", *order)
            assert (refused.exit_code, refused.stdout) == (1, ""), order
            assert refused.stderr == ("Error: this needs the role operator, but 'vic' has the role viewer [security]\n")


def test_what_is_long_or_odd_is_told_in_one_line(tmp_path: Path) -> None:
    with desk(tmp_path) as at:
        for name in ("x" * 10_000, "<b>bold</b>", "a\nb", "\u202eabc", "a/b?c#d", "."):
            ended = at.run("queue", "show", name)
            assert (ended.exit_code, len(ended.stderr.splitlines())) == (1, 1), name[:20]
        big = at.run("queue", "show", "x" * 100_000)
        assert big.exit_code in {1, 2}
        assert len(big.stderr.splitlines()) == 1
        ok(at.run("queue", "create", "a/b%2F;c"))
        assert json.loads(ok(at.run("queue", "show", "a/b%2F;c", "--json")).stdout)["statistics"]["name"] == "a/b%2F;c"
