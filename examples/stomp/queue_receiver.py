"""Receives from a queue, as in the lecture.  Start: python examples/stomp/queue_receiver.py"""

import time

import stomp


class MyListener(stomp.ConnectionListener):
    """Prints what comes."""

    def on_message(self, frame):
        print(f'received a message "{frame.body}"', flush=True)


if __name__ == "__main__":
    conn = stomp.Connection([("127.0.0.1", 61613)])
    conn.set_listener("", MyListener())
    conn.connect(wait=True)
    conn.subscribe(destination="/queue/test", id=1, ack="auto")
    time.sleep(60)
    conn.disconnect()
