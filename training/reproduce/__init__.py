"""The paper's experiments in miniature: which trainings, in which time, what they say, and the document on it."""
