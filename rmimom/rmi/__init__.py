"""Pyro5's wire as plain functions of bytes: nothing here waits or opens a socket."""
