"""Volumes: tables of subjects, grids, a cache of resampled volumes, folds, implanted patterns and phantoms."""
