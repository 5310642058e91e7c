"""Commits three messages and aborts two, as in the lecture.  Start: python examples/stomp/transactions.py"""

import time

import stomp


class MyListener(stomp.ConnectionListener):
    """Prints what comes: the three that were committed."""

    def on_message(self, frame):
        print(f'received a message "{frame.body}"', flush=True)


if __name__ == "__main__":
    conn = stomp.Connection([("127.0.0.1", 61613)])
    conn.set_listener("", MyListener())
    conn.connect(wait=True)

    conn.subscribe("/queue/test", id=5)
    txid = conn.begin()
    conn.send("/queue/test", "test1", transaction=txid)
    conn.send("/queue/test", "test2", transaction=txid)
    conn.send("/queue/test", "test3", transaction=txid)
    conn.commit(txid)

    txid = conn.begin()
    conn.send("/queue/test", "test4", transaction=txid)
    conn.send("/queue/test", "test5", transaction=txid)
    conn.abort(txid)

    time.sleep(2)
    conn.disconnect()
