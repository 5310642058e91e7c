"""The page about the settings, made from their table: docs/configuration.md is what this writes."""

from __future__ import annotations

from rmimom.config import SETTINGS
from rmimom.server.exit_codes import ExitCode

_HEAD = """\
# Configuration of the server

<!-- Written by `rmimom-server settings`; change rmimom/config.py or rmimom/server/settings_page.py instead. -->

Each setting can be given in three ways. The first that has it counts:

1. an option of the command line: `rmimom-server --active --max-message-size 10MiB`
2. a variable of the environment: `RMIMOM_MAX_MESSAGE_SIZE=10MiB`; one that is empty counts as unset
3. the TOML file of `--config FILE` (or `RMIMOM_CONFIG=FILE`), at its top or in a table `[server]`:

```toml
[server]
port = 61611
data = "/var/lib/rmimom"
max_message_size = "10MiB"
auto_create = false
```

A relative path in the file starts at the file's directory. A key that is no setting is refused, with the name that was
probably meant. Sizes are bytes, or take a unit: KiB, MiB, GiB (powers of 1024), KB, MB, GB (powers of 1000).

## Settings

| setting | option and variable | default | meaning |
|---|---|---|---|
"""

_TAIL = """
Settings that are true or false have two options without a value: `--auto-create` and `--no-auto-create`.

## Redelivery and dead letters

A message that a consumer fails on (an error in an observer, `recover`, `nack`) is delivered again, by default 6 times
and at once; then it is a dead letter and waits in the queue `DLQ.<name>` for somebody to look at it. Tables
`[[redelivery]]` in the TOML file change that for some destinations; the first whose `destination` fits counts:

```toml
[[redelivery]]
destination = "queue://orders.*"
maximum = 10
delay = 1.0
multiplier = 2.0
maximum_delay = 600.0
jitter = 0.2

[[redelivery]]
destination = ">"
expiry = "EXPIRED.{name}"
```

| key | default | meaning |
|---|---|---|
| `destination` | none | Name or pattern: `orders`, `queue://orders`, `topic://quakes.>`. See below. |
| `maximum` | `6` | Redeliveries; -1 for no limit. |
| `delay` | `0` | Before the first redelivery. 0: at once, in order; else others come first. In seconds. |
| `multiplier` | `1` | Each further delay is so many times the one before. |
| `maximum_delay` | `3600` | No delay is longer. In seconds. |
| `jitter` | `0` | Each delay is shortened by chance, by up to this fraction. |
| `dead_letter` | `DLQ.{name}` | Queue for the dead letters; empty: they are removed. |
| `expiry` | empty | Queue for expired messages; empty: they are removed. |

In a pattern `*` stands for one part of a name between dots, `>` at the end for all parts that follow.

## What is kept of topics

A subscriber that is not durable gets what is sent while it is there. One that asks to be retroactive first gets what
the server keeps of the topic, which is nothing unless a table `[[retention]]` says so; the first whose `destination`
fits counts. It is kept in memory, and gone when the server stops.

```toml
[[retention]]
destination = "topic://prices.>"
messages = 500
seconds = 600
```

| key | default | meaning |
|---|---|---|
| `destination` | none | Name or pattern of topics, as above. |
| `messages` | `100` | So many messages of each topic at most. |
| `bytes` | `1MiB` | So many bytes of each topic at most. |
| `seconds` | `0` | None that is older; 0: however old. In seconds. |

## Exit codes

| code | meaning |
|---|---|
"""

_MEANINGS = {
    ExitCode.OK: "done, or an orderly stop",
    ExitCode.FAILED: "something failed at run time; `status` and `stop`: no server is running",
    ExitCode.USAGE: "an option, a setting or the configuration file is wrong",
    ExitCode.DATA: "the data cannot be used: another server has it, or it is damaged, foreign, or of a newer version",
    ExitCode.ADDRESS: "the address is in use, the names belong to another server, or another one is active already",
}

_END = """
## Files in the data directory

| file | what it is |
|---|---|
| `rmimom.db` and its companions | queues, topics, subscriptions, messages, users: see docs/design/0002 |
| `server-id` | the random id of this server |
| `admin-token` | lets `rmimom-admin` in on this machine while the server runs; only the server's account can read it |
| `rmimom.pid` | the process id of the running server, which holds a lock on the file |
| `rmimom.log` | the log of `rmimom-server start`, which appends to it (for logrotate: `copytruncate`) |
| `nameserver.sqlite` | the names, if the server had to start a name server |

Whoever can read the data directory can read every message and is an administrator. Its mode is 0700.
"""


def settings_page() -> str:
    """The page, as Markdown."""
    rows = []
    for setting in SETTINGS.values():
        about = setting.about
        choices = f" One of {', '.join(f'`{choice}`' for choice in about.choices)}." if about.choices else ""
        unit = f" In {about.unit}." if about.unit else ""
        rows.append(
            f"| `{setting.name}` | `{setting.option}` `{setting.variable}` | {setting.default_text} "
            f"| {about.text}{choices}{unit} |"
        )
    codes = [f"| {code.value} | {meaning} |" for code, meaning in _MEANINGS.items()]
    return _HEAD + "\n".join(rows) + "\n" + _TAIL + "\n".join(codes) + "\n" + _END
