"""Training of UniTalker models: data sets, PCA, losses, trainer, evaluation, export.

Imports `backend`, never the reverse.
"""
