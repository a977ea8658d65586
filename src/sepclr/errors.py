"""The error for users. It is separate from the other types because they import torch, which takes seconds to load."""


class InputError(ValueError):
    """Invalid input; the message is one line that names the problem and the remedy. The command line exits with status 2."""
