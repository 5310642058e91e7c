"""The demonstration: a week of real earthquake reports through a real name server and a real server."""
