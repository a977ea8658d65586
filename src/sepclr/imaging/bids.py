"""Images of a BIDS tree: which file of which subject and session (https://bids-specification.readthedocs.io).

Only what a study of anatomical images needs: ``sub-*/[ses-*/]anat/*_SUFFIX.nii[.gz]``, of raw data or of a derivative.
"""

from __future__ import annotations

import difflib
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sepclr.data.tables import listed
from sepclr.errors import InputError

SUFFIX = "T1w"

DATA = (".nii.gz", ".nii")
"""Extensions of images, the longest first."""

INDICES = ("chunk", "echo", "flip", "inv", "run", "split")
"""Entities whose values are numbers, which may have leading zeros."""

POINTERS = (b"/annex/objects/", b"version https://git-lfs")
"""How the text begins that stands for a file whose content was not fetched: by git-annex without symbolic links, and by Git LFS."""


class Image(NamedTuple):
    """An image of a BIDS tree.

    Attributes:
        path: the file.
        subject: such as ``sub-01``.
        session: such as ``ses-1``; empty for a subject without sessions.
        entities: values in the file name by key, such as ``run``, without those of subject and session.
    """

    path: Path
    subject: str
    session: str
    entities: Mapping[str, str]


def find_images(root: Path, suffix: str = SUFFIX, entities: Sequence[str] = ()) -> dict[str, list[Image]]:
    """Find the images of a BIDS tree with a suffix and entities.

    Args:
        root: folder with the folders ``sub-*``: a dataset or one of its derivatives.
        suffix: last part of the file names, such as ``T1w``.
        entities: required values, such as ``space=MNI152NLin2009cAsym``; ``space=`` selects images without that entity.

    Returns:
        The images of each subject, in the order of sessions and names; none for a subject without any.

    Raises:
        InputError: no BIDS tree, an unreadable folder, no such image in the whole tree, or an image in the folder of another subject.
    """
    wanted = parse_entities(entities)
    subjects = [path for path in _entries(root, "bids") if re.fullmatch(r"sub-[A-Za-z0-9+]+", path.name) and path.is_dir()]
    if not subjects:
        raise InputError(f"bids: {root} has no folders sub-*; {_nearby(root)}")
    everything = {subject.name: list(_images(subject)) for subject in subjects}
    of_suffix = {subject: [image for image, kind in images if kind == suffix] for subject, images in everything.items()}
    found = {subject: [image for image in images if _has(image, wanted)] for subject, images in of_suffix.items()}
    chosen = [image for images in found.values() for image in images]
    if not any(of_suffix.values()):
        kinds = Counter(kind for images in everything.values() for _, kind in images)
        there = ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common())
        hint = f"there are {there}; choose with --suffix" if kinds else "there are no images at all"
        raise InputError(f"suffix: no {suffix} image in sub-*/[ses-*/]anat of {root}; {hint}")
    if not chosen:
        raise InputError(_unmatched([image for images in of_suffix.values() for image in images], wanted, suffix))
    if wrong := [image.path.name for image in chosen if not image.path.name.endswith(DATA)]:
        raise InputError(f"bids: {len(wrong)} images have an extension in capitals: {listed(wrong)}; rename them to .nii or .nii.gz")
    if strays := [str(image.path) for image in chosen if not _fits_folder(image)]:
        raise InputError(f"bids: {len(strays)} images are in the folder of another subject or session: {listed(strays)}; rename them")
    return found


def parse_entities(given: Sequence[str]) -> dict[str, str]:
    """Return the values of entities by key, from words such as ``run=1`` or, for images without a run, ``run=``.

    Raises:
        InputError: a word that is not of this form, a key that is given twice, or ``sub``.
    """
    wanted: dict[str, str] = {}
    for word in given:
        key, equals, value = word.partition("=")
        if not equals or not re.fullmatch("[A-Za-z]+", key) or not re.fullmatch(r"[A-Za-z0-9+]*", value):
            raise InputError(f"entities: {word!r} is not KEY=VALUE; write for example space=MNI152NLin2009cAsym,desc=preproc")
        if key == "sub":
            raise InputError("entities: sub= selects a single subject; leave subjects out of the participants table instead")
        if key in wanted:
            raise InputError(f"entities: {key} is given twice; give one value")
        wanted[key] = value
    return wanted


def one_per_session(images: Mapping[str, Sequence[Image]], suffix: str) -> dict[str, list[Image]]:
    """Return one image of each session of each subject.

    Raises:
        InputError: several images of a session; the message names subjects and files, and entities to choose by.
    """
    sessions: dict[tuple[str, str], list[Image]] = {}
    for found in images.values():
        for image in found:
            sessions.setdefault((image.subject, image.session), []).append(image)
    several = [found for found in sessions.values() if len(found) > 1]
    if several:
        first = several[0]
        keys = dict.fromkeys(key for image in first for key in image.entities)
        apart = [key for key in keys if len({image.entities.get(key, "") for image in first}) > 1]
        fullest = max(first, key=lambda image: len(image.entities))
        how = ",".join(f"{key}={fullest.entities.get(key, '')}" for key in apart)
        remedy = f"choose one with --entities, such as {how}" if how else "remove one of them"
        files = [f"{found[0].subject} ({', '.join(image.path.name for image in found)})" for found in several]
        raise InputError(f"bids: {len(files)} sessions have several {suffix} images: {listed(files)}; {remedy}")
    return {subject: list(found) for subject, found in images.items()}


def check_fetched(paths: Sequence[Path], root: Path) -> None:
    """Check that the content of files is there.

    Raises:
        InputError: symbolic links to files that do not exist, or text in place of files that were not fetched.
    """
    absent = [path for path in paths if not path.exists() or _is_pointer(path)]
    if not absent:
        return
    names = listed([str(path.relative_to(root)) for path in absent])
    annexed = [path for path in absent if not path.is_symlink() or "annex" in os.readlink(path)]
    remedy = f"fetch it, such as with `datalad get {absent[0]}`" if annexed else "restore the files that the links point to"
    what = "have no content here" if annexed else "are broken links"
    raise InputError(f"bids: {len(absent)} of {len(paths)} images {what}: {names}; {remedy}")


def with_prefix(label: str, prefix: str) -> str:
    """Return a label with its prefix, ``01`` and ``sub-01`` as ``sub-01``; an empty one as it is."""
    return label if not label or label.startswith(prefix) else prefix + label


def raw_roots(root: Path) -> list[Path]:
    """Return a folder and, for a derivative, the folders above ``derivatives``, in which its raw data are."""
    return [root, *(each.parent for each in root.absolute().parents if each.name == "derivatives")]


def held(root: Path, subject: str) -> str:
    """Describe the images of a subject, for errors."""
    if not os.path.isdir(root / subject):  # unlike Path.is_dir, no error for a name that is too long
        return f"no folder {subject}"
    kinds = sorted({kind for _, kind in _images(root / subject)})
    return f"in its folder: {', '.join(kinds)}" if kinds else f"no images in {subject}/[ses-*/]anat"


def _entries(folder: Path, option: str = "") -> list[Path]:
    """Return what is in a folder, sorted; nothing if the folder does not exist and no option named it."""
    try:
        if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
            raise PermissionError(0, "permission denied")
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        if not option:
            return []
        raise InputError(f"{option}: {folder} is not a folder; give the root of a BIDS tree") from None
    except OSError as error:
        raise InputError(f"bids: {folder} cannot be read ({error.strerror or error}); change its permissions") from None


def _images(subject: Path) -> Iterator[tuple[Image, str]]:
    """Yield each image of a subject and its suffix; files with other names are left out."""
    homes = [subject, *(path for path in _entries(subject) if path.name.startswith("ses-") and path.is_dir())]
    for home in homes:
        session = "" if home == subject else home.name
        for path in _entries(home / "anat"):
            extension = next((each for each in DATA if path.name.lower().endswith(each)), None)
            if extension is None:
                continue
            *parts, suffix = path.name[: -len(extension)].split("_")
            if all("-" in part for part in parts):
                entities = dict(part.split("-", 1) for part in parts)
                yield Image(path, subject.name, session, entities), suffix


def _fits_folder(image: Image) -> bool:
    named = image.entities.get("ses")
    return image.subject == f"sub-{image.entities.get('sub')}" and (named is None or not image.session or image.session == f"ses-{named}")


def _has(image: Image, wanted: Mapping[str, str]) -> bool:
    return all(_same(key, image.entities.get(key, ""), value) for key, value in wanted.items())


def _same(key: str, there: str, wanted: str) -> bool:
    if key in INDICES and there.isdecimal() and wanted.isdecimal():
        return int(there) == int(wanted)
    return there == wanted


def _unmatched(images: Sequence[Image], wanted: Mapping[str, str], suffix: str) -> str:
    """Explain why no image has the wanted entities: an unknown key, an unknown value, or values that do not occur together."""
    keys = sorted({key for image in images for key in image.entities} - {"sub"})
    for key, value in wanted.items():
        if value and key not in keys:
            near = difflib.get_close_matches(key, keys, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"their entities are {', '.join(keys)}" if keys else "they have no entities"
            return f"entities: no {suffix} image has {key!r} in its name; {hint}"
    for key, value in wanted.items():
        values = Counter(image.entities.get(key, "") for image in images)
        if not any(_same(key, there, value) for there in values):
            there = ", ".join(f"{key}={each} ({count})" for each, count in values.most_common(5))
            return f"entities: no {suffix} image with {key}={value}; there are {there}"
    both = ",".join(f"{key}={value}" for key, value in wanted.items())
    return f"entities: no {suffix} image has {both} at once, such as {images[0].path.name}; leave one out"


def _nearby(root: Path) -> str:
    """Return where the folders of subjects may be instead."""
    if root.name.startswith("sub-"):
        return f"give the folder above it: {root.parent}"
    below = next((path for path in _entries(root) if path.is_dir() and any(path.glob("sub-*/"))), None)
    return f"did you mean {below}?" if below else "give the root of a BIDS tree"


def _is_pointer(path: Path) -> bool:
    try:
        if path.stat().st_size > 1024:
            return False
        with path.open("rb") as file:
            return file.read(64).startswith(POINTERS)
    except OSError:
        return False  # an unreadable image is reported when it is read
