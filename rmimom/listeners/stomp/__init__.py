"""The STOMP door of the server."""
