"""A week of real earthquake reports through a real server: the main job, shown and counted."""
