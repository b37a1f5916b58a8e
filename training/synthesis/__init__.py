"""Labelled synthetic speech: text → speech with phone times → face motion, in the official data set layout."""
