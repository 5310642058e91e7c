"""Sends to a topic, as in the lecture.  Start: python examples/stomp/topic_publisher.py"""

import stomp

if __name__ == "__main__":
    conn = stomp.Connection([("127.0.0.1", 61613)])
    conn.connect(wait=True)
    conn.send("/topic/test", "test message")
    conn.disconnect()
