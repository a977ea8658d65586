"""The error that a user reads. It is apart from the other types because these import torch, which takes seconds to load."""


class InputError(ValueError):
    """Something that the user gave cannot be used; one line that names the thing and the remedy. The command line exits with 2."""
