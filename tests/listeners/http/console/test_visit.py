"""What the pages of the console have in common."""

from __future__ import annotations

from support.console import Visitor, at_console
from support.http import Room

from rmimom.listeners.http.console.visit import RENEWAL


def test_what_a_form_did_is_said_once_to_the_person_and_not_to_a_page_that_renews_itself() -> None:
    async def conversation(room: Room, olga: Visitor) -> None:
        page = await olga.get("/queues")
        answer = await olga.client.post("/queues", data={"csrf": page.csrf, "name": "new"})
        assert answer.status_code == 303
        # The page on which the form was reads itself again before the browser follows the redirection.
        page = await olga.get("/queues", headers={RENEWAL: "1"})
        assert "was made" not in page.text
        page = await olga.get(answer.headers["location"])
        assert "queue new was made" in page.text
        page = await olga.get(answer.headers["location"])
        assert "was made" not in page.text

    at_console(conversation)
