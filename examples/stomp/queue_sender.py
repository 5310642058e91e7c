"""Sends to a queue, as in the lecture.  Start: python examples/stomp/queue_sender.py"""

import stomp

if __name__ == "__main__":
    conn = stomp.Connection([("127.0.0.1", 61613)])
    conn.connect(wait=True)
    conn.send("/queue/test", "test message")
    conn.disconnect()
