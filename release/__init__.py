"""What becomes the extension's zip, for build.py. Standard library only."""
