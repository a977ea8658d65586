"""Recipes of experiments, and what runs them into a folder."""
