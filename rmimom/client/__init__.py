"""The client library: connections, sessions, publishers and subscribers over remote objects."""
