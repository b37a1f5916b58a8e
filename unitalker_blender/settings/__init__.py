"""What the user sets, as Blender's properties, one subject a file."""
