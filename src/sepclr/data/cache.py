"""Where prepared samples are kept."""

from __future__ import annotations

from pathlib import Path

import pooch


def cache_folder(given: Path | None, kind: str) -> Path:
    """Return the folder of prepared samples: the given one, or one for their kind in the user's cache."""
    return given or Path(pooch.os_cache("sepclr")) / kind
