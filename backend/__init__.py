"""UniTalker inference: from a sound file to named, timed face motion. Never imports bpy or `training`."""

__version__ = "0.1.0"
