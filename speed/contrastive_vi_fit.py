"""Fit scvi-tools' ContrastiveVI on cells from a file, for ``speed/contrastive_vi.py``, in an environment that has scvi-tools.

``python speed/contrastive_vi_fit.py CELLS.npz CODES.npz SEED`` reads counts, membership and which cells train, and writes the codes of all
cells and the seconds that training took. Hyperparameters are ContrastiveVI's own.
"""

from __future__ import annotations

import sys
import time
from importlib.metadata import version

import anndata
import numpy as np
import scvi
import torch
from scvi.external import ContrastiveVI


def main() -> None:
    """Train and write the codes."""
    source, out, seed = sys.argv[1:]
    torch.set_num_threads(1)
    scvi.settings.seed = int(seed)
    cells = np.load(source)
    data = anndata.AnnData(cells["counts"].astype(np.float32))
    train = data[cells["train"]].copy()
    is_target = cells["is_target"][cells["train"]]
    ContrastiveVI.setup_anndata(train)
    model = ContrastiveVI(train)
    begin = time.perf_counter()
    model.train(np.flatnonzero(~is_target), np.flatnonzero(is_target), accelerator="cpu", enable_progress_bar=False, logger=False)
    seconds = time.perf_counter() - begin
    c, s = (model.get_latent_representation(data, representation_kind=kind) for kind in ("background", "salient"))
    np.savez(out, c=c, s=s, seconds=seconds, epochs=model.trainer.current_epoch, version=version("scvi-tools"))


if __name__ == "__main__":
    main()
