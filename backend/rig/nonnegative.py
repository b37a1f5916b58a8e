"""Non-negative least squares for many right-hand sides at once."""

from __future__ import annotations

import numpy as np

_TOLERANCE = 1e-9
_PATIENCE = 3


def solve_nonnegative(gram: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """For each column b of `moments` the x ≥ 0 that minimises ``x' gram x / 2 - b' x``, exactly.

    Block principal pivoting (Kim and Park 2011, "Fast nonnegative matrix factorization: an active-set-like method"):
    every column guesses which of its unknowns are zero, and flips all wrong guesses at once; a column that gets no
    better flips one of them (Murty's rule), which ends always. Speech has few different guesses, so each is solved
    once for all of its columns.

    Args:
        gram: positive definite, shape ``(unknowns, unknowns)``.
        moments: shape ``(unknowns, columns)``.

    Returns:
        float64, shape ``(unknowns, columns)``.
    """
    unknowns, columns = moments.shape
    scale = np.sqrt(np.diag(gram))
    gram, moments = gram / np.outer(scale, scale), moments / scale[:, None]
    free = np.zeros((unknowns, columns), bool)
    solution, gradient = np.zeros((unknowns, columns)), -moments
    patience, fewest = np.full(columns, _PATIENCE), np.full(columns, unknowns + 1)
    tolerance = _TOLERANCE * max(1.0, float(np.abs(moments).max(initial=0.0)))
    while True:
        wrong = np.where(free, solution < -tolerance, gradient < -tolerance)
        count = wrong.sum(axis=0)
        if not count.any():
            result: np.ndarray = np.maximum(solution, 0) / scale[:, None]
            return result
        better = count < fewest
        fewest = np.where(better, count, fewest)
        patience = np.where(better, _PATIENCE, patience - 1)
        free ^= np.where(patience >= 0, wrong, _last_only(wrong))
        changed = np.flatnonzero(count)
        solution[:, changed] = _solve_free(gram, moments[:, changed], free[:, changed])
        gradient[:, changed] = gram @ solution[:, changed] - moments[:, changed]


def _last_only(wrong: np.ndarray) -> np.ndarray:
    """Of the true entries of each column the last one."""
    from_below = np.cumsum(wrong[::-1], axis=0)[::-1]
    last: np.ndarray = wrong & (from_below == 1)
    return last


def _solve_free(gram: np.ndarray, moments: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Least squares of each column with its free unknowns only, the others being zero."""
    patterns, which = np.unique(free.T, axis=0, return_inverse=True)
    both = patterns[:, :, None] & patterns[:, None, :]
    inverses = np.linalg.inv(np.where(both, gram, np.eye(len(gram)))) * both
    solved: np.ndarray = np.einsum("cij,jc->ic", inverses[which.reshape(-1)], moments)
    return solved
