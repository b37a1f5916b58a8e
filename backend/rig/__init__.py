"""From the 52 ARKit shapes to the shapes that a character has."""
