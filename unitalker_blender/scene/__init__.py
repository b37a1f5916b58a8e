"""What is read from a scene and what is written to it."""
