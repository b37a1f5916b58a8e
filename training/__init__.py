"""Training of UniTalker models: datasets, PCA, losses, trainer, evaluation, export. Imports `backend`, never the reverse."""
