"""What is drawn in the sidebar of the 3D viewport, one panel a file."""
