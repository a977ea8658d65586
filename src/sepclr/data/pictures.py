"""Read image files with Pillow: inspect them all before training, and decode them to one size."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from filelock import FileLock
from joblib import Parallel, delayed
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from sepclr.atomic import write_whole
from sepclr.data.cache import cache_folder
from sepclr.data.contents import contents
from sepclr.data.image_list import list_images, unusable
from sepclr.data.image_members import ImageMembers, read_members
from sepclr.data.image_study import LEAST_SIZE, ImageStudy
from sepclr.errors import InputError

Image.init()  # Pillow loads the plugins of some formats only if it may open any
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF")
GREY = ("1", "L", "LA", "La")
LARGEST = 64
"""Largest side that is chosen without being asked for, in pixels."""

VERSION = 1
"""Version of ``_see``; files are inspected again if it changes."""


class Seen(NamedTuple):
    """What is known of an image file.

    Attributes:
        shorter: its shorter side, in pixels.
        grey: whether it has no colour.
        top: largest value of a 16-bit grey image; 0 for others.
        problem: why it cannot be used; empty if it can.
    """

    shorter: int
    grey: bool
    top: int
    problem: str


class Looked(NamedTuple):
    """What is known of n files.

    Attributes:
        seen: what is known of each.
        hashes: hash of the content of each.
    """

    seen: list[Seen]
    hashes: list[str]

    @property
    def digest(self) -> str:
        """Hash of all contents."""
        return hashlib.sha256(json.dumps(self.hashes).encode()).hexdigest()[:16]


class Frame(NamedTuple):
    """How images are decoded.

    Attributes:
        side: side of the square, in pixels.
        channels: 1 for grey, 3 for RGB.
        fit: ``crop``, ``pad`` or ``stretch``.
        bits: significant bits of 16-bit grey images.
    """

    side: int
    channels: int
    fit: str
    bits: int


def inspected(study: ImageStudy, cache: Path | None) -> tuple[ImageMembers, Looked]:
    """List and inspect all images of a study; files whose content was inspected before are not decoded again.

    Args:
        study: the study.
        cache: folder of what is known about files; one in the user's cache if None.

    Raises:
        InputError: as ``read_members``, images that cannot be decoded, or a folder that cannot be written.
    """
    found = list_images(study)
    looked = look_into(found.paths, cache)
    bad = [*found.problems, *problems(found.paths, looked, study.bits)]
    if bad:
        raise unusable(bad, len(found.paths) + len(found.problems))
    return read_members(study, found), looked


def problems(paths: Sequence[Path], looked: Looked, bits: int) -> list[tuple[Path, str]]:
    """Return the path and the problem of each file that cannot be used."""
    bad = []
    for path, each in zip(paths, looked.seen, strict=True):
        if problem := each.problem or (each.top >= 2**bits and f"has values up to {each.top}, more than {bits} bits; give --bits"):
            bad.append((path, problem))
    return bad


def look_into(paths: Sequence[Path], cache: Path | None) -> Looked:
    """Inspect image files, each by decoding it once; what is found is kept under the hash of its content.

    Raises:
        InputError: a file that cannot be opened, or a folder that cannot be written.
    """
    folder = cache_folder(cache, "images")
    try:
        hashes = contents(paths, folder)
        kept = folder / f"pictures-{VERSION}.json"
        with FileLock(f"{kept}.lock"):
            known: dict[str, Any] = _read(kept)
            new = {name: path for name, path in zip(hashes, paths, strict=True) if name not in known}
            if new:
                with _decoding():
                    seen = Parallel(n_jobs=-1, require="sharedmem")(delayed(_see)(path) for path in new.values())
                known |= dict(zip(new, seen, strict=True))
                write_whole(kept, json.dumps(known))
    except OSError as error:
        raise InputError(f"cache: {folder} cannot be written ({error.strerror or error}); choose another folder with --cache") from None
    return Looked([Seen(*known[name]) for name in hashes], hashes)


def _read(kept: Path) -> dict[str, Any]:
    try:
        known = dict(json.loads(kept.read_text()))
    except (OSError, ValueError, TypeError, RecursionError):
        return {}  # all files are inspected again
    kinds = [int, bool, int, str]
    return {name: seen for name, seen in known.items() if isinstance(seen, list) and [type(each) for each in seen] == kinds}


@contextmanager
def _decoding() -> Iterator[None]:
    """Make images of too many pixels an error, and ignore other warnings of Pillow, such as those about metadata."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _see(path: Path) -> Seen:
    """Decode a file once. Call within ``_decoding``."""
    problem, shorter, grey, top = "", 0, False, 0
    try:
        with Image.open(path, formats=FORMATS) as image:
            # A photograph of some cameras holds a preview as a second frame.
            if getattr(image, "is_animated", False) and image.format != "MPO":
                problem = "has several frames; save the one to use"
            elif image.mode in ("I", "F"):
                problem = "has pixels of 32 bits; save it with 8 or 16"
            else:
                shorter, deep = min(image.size), image.mode.startswith("I;16")
                grey = deep or image.mode in GREY
                image.draft(None, (1, 1))  # the whole file is still read
                _plain(image, 1 if grey else 3, 16)
                top = int(np.asarray(image).max()) if deep else 0
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        problem = f"has more than {(Image.MAX_IMAGE_PIXELS or 0) // 10**6} million pixels"
    except UnidentifiedImageError:
        problem = "is not an image"
    except Exception as error:  # damaged files raise anything
        problem = f"cannot be decoded: {(str(error) or type(error).__name__).splitlines()[0]}"
    return Seen(shorter, grey, top, problem)


def frame_of(study: ImageStudy, seen: Sequence[Seen]) -> Frame:
    """Return how the images of a study are decoded.

    Without a size, it is the median shorter side, a multiple of 8, so that decoders can halve it, and at most 64.
    """
    median = int(np.median([each.shorter for each in seen])) // 8 * 8
    side = study.size or max(LEAST_SIZE, min(LARGEST, median))
    grey = all(each.grey for each in seen) if study.colour == "auto" else study.colour == "grey"
    return Frame(side, 1 if grey else 3, study.fit, study.bits)


def decode_all(paths: Sequence[Path | str], frame: Frame, *, jobs: int = 1) -> NDArray[np.uint8]:
    """Decode image files, with ``jobs`` threads.

    The orientation of photographs is applied, transparent pixels become white, and images are resized with antialiasing.

    Returns:
        Images, shape (n, channels, side, side).

    Raises:
        InputError: a file that cannot be decoded, because it changed since it was inspected.
    """
    x = np.empty((len(paths), frame.channels, frame.side, frame.side), dtype=np.uint8)

    def fill(rows: range) -> None:
        for row in rows:
            x[row] = _decode(paths[row], frame)

    with _decoding():
        if jobs == 1:
            fill(range(len(paths)))
        else:
            Parallel(n_jobs=jobs, require="sharedmem")(delayed(fill)(range(i, min(i + 64, len(x)))) for i in range(0, len(x), 64))
    return x


def _decode(path: Path | str, frame: Frame) -> NDArray[np.uint8]:
    """Decode a file. Call within ``_decoding``."""
    try:
        with Image.open(path, formats=FORMATS) as file:
            file.draft(None, (2 * frame.side, 2 * frame.side))  # a large JPEG is decoded at a fraction of its size
            image = _plain(ImageOps.exif_transpose(file), frame.channels, frame.bits)
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: cannot be decoded ({reason}), so it changed since it was inspected; restore it") from None
    values = np.asarray(_square(image, frame))
    return values[None] if frame.channels == 1 else values.transpose(2, 0, 1)


def _square(image: Image.Image, frame: Frame) -> Image.Image:
    """Resize an image to a square."""
    square, smooth = (frame.side, frame.side), Image.Resampling.BILINEAR
    if frame.fit == "crop":
        return ImageOps.fit(image, square, smooth)
    if frame.fit == "stretch":
        return image.resize(square, smooth)
    width, height = (max(1, round(length * frame.side / max(image.size))) for length in image.size)
    padded = Image.new(image.mode, square)
    padded.paste(image.resize((width, height), smooth), ((frame.side - width) // 2, (frame.side - height) // 2))
    return padded


def _plain(image: Image.Image, channels: int, bits: int) -> Image.Image:
    """Return an image in 8-bit grey or RGB."""
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint32) * 255 // (2**bits - 1)
        image = Image.fromarray(values.clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        above = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", above.size, "white"), above)
    return image.convert("L" if channels == 1 else "RGB")
