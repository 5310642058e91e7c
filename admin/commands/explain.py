"""`rmimom-admin explain`: what a code means, and what to do.  It asks no server."""

from __future__ import annotations

import difflib

import click

from rmimom.admin.columns import EXPLANATION
from rmimom.admin.failure import Failure
from rmimom.admin.options import output_options
from rmimom.admin.output import Output, facts
from rmimom.explanations import EXPLANATIONS, find_explanation


@click.command()
@click.argument("code", required=False)
@output_options
def explain(out: Output, code: str | None) -> None:
    """Explain the code of an error or a warning, and say what to do; without CODE, list them all.

    \b
    Examples:
      rmimom-admin explain store-full
      rmimom-admin explain -o json
    """
    if code is None:
        out.rows([one._asdict() for one in EXPLANATIONS], EXPLANATION, "")
        return
    found = find_explanation(code.strip("[]").lower())
    if found is None:
        near = difflib.get_close_matches(code.lower(), [one.code for one in EXPLANATIONS], 3)
        hint = f"; did you mean {', '.join(near)}?" if near else "; without a code they are all listed"
        raise Failure(f"there is no code {code!r}{hint}")
    out.thing(
        found._asdict(), lambda: facts([("code", found.code), ("meaning", found.meaning), ("what to do", found.advice)])
    )
