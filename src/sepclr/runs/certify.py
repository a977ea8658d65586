"""Certify a finished run."""

from __future__ import annotations

from pathlib import Path

from sepclr.probes import Certificate
from sepclr.runs.certificates import certificates, write_certificates
from sepclr.runs.folder import RunFolder
from sepclr.runs.lock import held
from sepclr.runs.report import write_report
from sepclr.runs.run import load, read_finished
from sepclr.runs.trained import load_method


def certify_run(path: Path, root: Path | None = None) -> tuple[Path, list[Certificate]]:
    """Test the separation of a finished run, write ``certificate.json`` and rewrite the report with it.

    Args:
        path: folder of the run.
        root: data folder; that of training if None.

    Returns:
        The file, and a certificate for each target group.

    Raises:
        InputError: if the folder is not a finished run, another process writes to it, or the data are missing.
    """
    folder = RunFolder(path)
    recipe = folder.recipe()
    method, _ = load_method(folder)  # raises InputError for an unfinished run before the data are read
    with held(path):
        source = load(recipe, root or folder.root())
        made = certificates(method, source, recipe)
        written = write_certificates(folder, made)
        write_report(folder.report, [read_finished(folder, source)])
    return written, made
