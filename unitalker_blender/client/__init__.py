"""Talks to the backend process. Knows nothing of Blender."""
