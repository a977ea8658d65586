"""A user's AnnData file, from the command line and from Python."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from sepclr import cells
from sepclr.cli import main
from sepclr.data.cell_cohorts import cohorts
from sepclr.data.cell_study import CellStudy
from sepclr.datasets.simulated_cells import simulate_cells
from sepclr.estimators import load
from sepclr.probes import Probed, probe
from sepclr.runs.folder import RunFolder
from sepclr.types import InputError

WHO = ["--group", "condition", "--background", "control", "--target", "treated"]
SHORT = ["--max_epochs", "2", "--batch_size", "64", "--width", "16", "--folds", "3"]


def simulated(n: int = 240, genes: int = 60, seed: int = 0) -> anndata.AnnData:
    made = simulate_cells(n, genes, common=2, salient=2, program=10, batches=2, seed=seed)
    obs = {
        "condition": np.where(made.is_target, "treated", "control"),
        "type": np.array([f"t{i}" for i in made.common]),
        "response": np.array(["" if i < 0 else f"r{i}" for i in made.salient]),
        "batch": np.array([f"b{i}" for i in made.batch]),
    }
    table = pd.DataFrame({name: values.astype(object) for name, values in obs.items()}, index=[f"cell{i}" for i in range(n)])
    return anndata.AnnData(
        sp.csr_matrix(made.counts.astype(np.float32)), obs=table, var=pd.DataFrame(index=[f"g{i}" for i in range(genes)])
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    simulated().write_h5ad(tmp_path / "cells.h5ad")
    return tmp_path / "cells.h5ad"


def test_a_file_is_checked_trained_on_encoded_and_evaluated(file: Path, capsys: pytest.CaptureFixture[str]):
    page, out = file.parent / "page.html", file.parent / "run"
    roles = [*WHO, "--common", "type", "--salient", "response"]
    assert main(["check", "cells", str(file), *roles, "--out", str(page)]) == 0
    said = capsys.readouterr().out
    assert "whole numbers, such as counts" in said
    assert "warning: values are whole numbers: if they are counts, give --normalise" in said
    how = ["--normalise", "--genes", "40", "--covariates", "batch"]
    assert main(["fit", "cells", str(file), *roles, *how, *SHORT, "--out", str(out)]) == 0
    assert "Features" in (out / "report.html").read_text()
    before = RunFolder(out).rows.read_text()
    assert main(["evaluate", str(out)]) == 0
    assert RunFolder(out).rows.read_text() == before
    new, arrays = file.parent / "new.h5ad", file.parent / "codes.npz"
    assert main(["encode", str(out), "--input", str(file), "--out", str(new)]) == 0
    assert main(["encode", str(out), "--input", str(file), "--out", str(arrays)]) == 0
    read = anndata.read_h5ad(new)
    with np.load(arrays) as found:
        np.testing.assert_array_equal(read.obsm["X_common"], found["c"])
        np.testing.assert_array_equal(read.obsm["X_salient"], found["s"])
        assert found["cell"].tolist() == read.obs_names.tolist()
    less = anndata.read_h5ad(file)[:, ::2].copy()
    less.write_h5ad(file.parent / "less.h5ad")
    assert main(["encode", str(out), "--input", str(file.parent / "less.h5ad"), "--out", str(arrays)]) == 2
    assert "of 40 genes of the run" in capsys.readouterr().err


def test_counts_are_modelled_by_a_negative_binomial(file: Path, capsys: pytest.CaptureFixture[str]):
    words = ["fit", "cells", str(file), *WHO, "--method", "sepvae"]
    assert main([*words, *SHORT, "--counts", "--reconstruction", "negative-binomial", "--out", str(file.parent / "run")]) == 0
    assert main([*words, "--counts", "--out", str(file.parent / "no")]) == 2
    assert "counts: raw counts are for --reconstruction negative-binomial" in capsys.readouterr().err
    assert main([*words, "--reconstruction", "negative-binomial", "--out", str(file.parent / "no")]) == 2
    assert "reconstruction: negative-binomial takes counts" in capsys.readouterr().err
    assert not (file.parent / "no").exists()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--group", "conditions"], "no column 'conditions' in obs (did you mean 'condition'?)"),
        (["--target", "ill"], "no target rows: column 'condition' has no value ill"),
        (["--target", "control"], "background, target: control cannot be both"),
        (["--layer", "counts"], "no layer 'counts'"),
        (["--salient", "type", "--common", "type"], "common, salient: column 'type' listed more than once"),
        (["--attributes", "tpe"], "no column 'tpe' in obs (did you mean 'type'?)"),
        (["--covariates", "response"], "column 'response' has"),
        (["--genes", "4000"], "genes: 4000, but"),
        (["--genes", "0"], "genes: 0 is not at least 1"),
        (["--counts", "--normalise"], "counts: are left as they are"),
        (["--folds", "200"], "folds: 200, but one group has"),
        (["--split", "batch"], "split: column 'batch'"),
        (["--degree", "type"], "degree: column 'type'"),
        (["--numeric", "type"], "numeric, categorical: not attributes: type"),
        (["--file", "nowhere.h5ad"], "nowhere.h5ad: no such file"),
        (["--file", "."], "is a folder; give an .h5ad file"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line_and_nothing_is_written(
    file: Path, capsys: pytest.CaptureFixture[str], more: list[str], says: str
):
    out = file.parent / "run"
    assert main(["fit", "cells", str(file), *WHO, *more, "--out", str(out)]) == 2
    message = capsys.readouterr().err
    assert says in message
    assert message.count("\n") == 1
    assert not out.exists()


def test_a_large_matrix_is_copied_to_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    simulated(300, genes=1200).write_h5ad(tmp_path / "cells.h5ad")
    study = CellStudy(file=str(tmp_path / "cells.h5ad"), group="condition", background=("control",), target=("treated",), memory=1)
    train, _, _ = cohorts(study, 0)
    (held,) = (tmp_path / "cache" / "sepclr" / "cells").iterdir()
    assert (held / "data.npy").stat().st_size > 2**19
    assert train.x.shape[1] == 1200


def test_an_object_gets_codes_and_its_model_encodes_others(tmp_path: Path):
    adata = simulated(600, seed=1)
    options = {"max_epochs": 40, "common_dim": 4, "salient_dim": 4, "random_state": 0}
    model = cells.fit(adata, groupby="condition", background="control", normalise=True, genes=50, **options)
    other = simulated(600, seed=2)[:, ::-1].copy()
    cells.transform(model, other)
    assert other.obsm["X_common"].shape == other.obsm["X_salient"].shape == (600, 4)
    again = simulated(600, seed=1)
    model.save(tmp_path / "model")
    cells.transform(load(tmp_path / "model"), again)
    np.testing.assert_allclose(again.obsm["X_salient"], adata.obsm["X_salient"], atol=1e-6)

    def seen(each: anndata.AnnData) -> Probed:
        spaces = {"c": each.obsm["X_common"], "s": each.obsm["X_salient"]}
        return Probed(spaces, np.asarray(each.obs["condition"] == "treated"), {"type": np.asarray(each.obs["type"], dtype=str)})

    found = probe(seen(adata), seen(again), encoder="trained")
    assert next(row["score"] for row in found if (row["attribute"], row["space"]) == ("type", "c")) > 0.9


def test_each_target_has_a_code_and_what_an_object_lacks_is_named():
    adata = simulated()
    adata.obs["condition"] = [value if i % 3 else "other" for i, value in enumerate(adata.obs["condition"])]
    how = {"groupby": "condition", "background": "control", "normalise": True, "max_epochs": 1, "common_dim": 3, "salient_dim": 2}
    cells.fit(adata, target=["treated", "other"], **how)
    assert adata.obsm["X_salient"].shape == (240, 4)
    cells.fit(adata, target=["treated", "other"], merge=True, key="one", **how)
    assert adata.obsm["one_salient"].shape == (240, 2)
    for change, says in (
        ({"groupby": "state"}, "groupby: no column 'state' in obs"),
        ({"background": "healthy"}, "background: 'healthy' is not in column 'condition'"),
        ({"target": "control"}, "background, target: control cannot be both"),
        ({"layer": "counts"}, "layer: no layer 'counts'"),
        ({"method": "SepCRL"}, "method: 'SepCRL' is unknown"),
        ({"reconstruction": "negative-binomial", "method": "SepVAE"}, "normalise: negative-binomial takes raw counts"),
    ):
        with pytest.raises(InputError, match=says):
            cells.fit(adata, **(how | change))
    adata.X = adata.X * 0.5
    with pytest.raises(InputError, match="not whole, and counts are needed"):
        cells.fit(adata, **how)
