"""``sepclr certify``: test the separation of a finished run."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import Namespace

from sepclr.runs import usable


def certify(options: Namespace) -> None:
    """Test the separation of a finished run: print and write a certificate, and add it to the report."""
    usable.check_evaluated(Path(options.run))
    from sepclr.reports import print_certificate
    from sepclr.runs.certify import certify_run

    written, made = certify_run(Path(options.run), Path(options.root) if options.root else None)
    for each in made:
        print_certificate(each)
    print(f"certificate: {written}")
