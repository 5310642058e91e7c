"""The assembly: one server from its parts, and its life as a process."""
