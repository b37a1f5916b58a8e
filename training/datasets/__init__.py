"""Data sets of speech with face motion."""
