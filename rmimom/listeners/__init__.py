"""Listeners: the doors of the server."""
