"""Command lines of the examples, as the gallery runs them."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import gettempdir
from typing import Any

EXAMPLES = {
    "plot_bids_phantom.py": {"toy": ["--subjects", "32", "--epochs", "1"], "usual": []},
    "plot_cells.py": {"toy": ["--cells", "200", "--epochs", "1"], "usual": []},
    "plot_embeddings.py": {"toy": ["--epochs", "1"], "usual": []},
    "plot_without.py": {"toy": ["--epochs", "1", "--decoder-epochs", "1", "--samples", "600"]},
}
"""Arguments at toy length and for the site. Other examples are shown without being run: the data of one have to be fetched, and the decoder
of the other learns nothing in the time that a site may take."""

LENGTH = os.environ.get("GALLERY", "usual")
"""``toy``, ``usual``, or ``none`` to run no example."""

RUN = "|".join(name for name, lengths in EXAMPLES.items() if LENGTH in lengths) or "^$"
"""Pattern of the names of the examples that are run."""


def arguments(_: dict[str, Any], script: dict[str, Any]) -> list[str]:
    """Return the arguments of an example; the gallery keeps its figure, so the picture that it writes may go anywhere."""
    name = Path(script["src_file"]).name
    return [str(Path(gettempdir()) / f"{name}.png"), *EXAMPLES[name][LENGTH]]
