"""Volumes: tables of subjects, grids, a cache of volumes on them, folds, implanted patterns and phantoms."""
