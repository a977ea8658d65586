"""Single experiments: recipes, run folders, training and evaluation, and reports, codes and maps of finished runs."""
