from __future__ import annotations

from pathlib import Path

import torch

from sepclr.reports import RemovalPage, removal_cells, swap_cells, write_removal_page

ROW = {
    "name": "flow",
    "psnr": 23.0,
    "ssim": 0.8,
    "inside": 0.25,
    "outside": 0.02,
    "background": 1.0,
    "kept": {"digit": 0.9},
    "frechet": 1.5,
}


def test_one_row_is_shown_as_it_is_and_several_by_mean_and_deviation():
    (one,) = removal_cells([[ROW]])
    assert (one["images"], one["PSNR, dB ↑"], one["digit kept, % ↑"], one["judged background, % ↑"]) == ("flow", "23.0", "90.0", "100.0")
    (several,) = removal_cells([[ROW, ROW | {"psnr": 25.0, "kept": {"digit": 0.8}}]])
    assert (several["seeds"], several["PSNR, dB ↑"], several["digit kept, % ↑"]) == ("2", "24.0 ± 1.4", "85.0 ± 7.1")
    assert removal_cells([[ROW | {"psnr": None}] * 2])[0]["PSNR, dB ↑"] == ""


def test_scores_that_no_row_has_are_left_out_and_all_rows_have_the_same_columns():
    plain = {name: ROW[name] for name in ("name", "psnr", "ssim", "inside", "outside")}
    assert [*removal_cells([[plain]])[0]] == ["images", "PSNR, dB ↑", "SSIM ↑", "error inside ↓", "error outside ↓"]
    flow, itself = removal_cells([[plain | {"controls": 0.25}], [ROW | {"name": "target itself"}]])
    assert [*flow] == [*itself]
    assert (flow["change of background ↓"], flow["digit kept, % ↑"], flow["judged background, % ↑"]) == ("0.25", "", "")
    assert (itself["change of background ↓"], itself["digit kept, % ↑"]) == ("", "90.0")
    mixed = [[ROW | {"controls": 0.25}, ROW], [ROW | {"controls": None}], [ROW | {"controls": 0.1}, ROW | {"controls": 0.3}]]
    assert [cells["change of background ↓"] for cells in removal_cells(mixed)] == ["", "", "0.20 ± 0.14"]
    assert removal_cells([]) == []


def test_the_page_shows_pictures_and_scores_or_says_why_there_are_none(tmp_path: Path):
    images = {"Target": torch.rand(3, 1, 8, 8), "Difference": torch.rand(3, 1, 8, 8)}
    for rows in (removal_cells([[ROW]]), []):
        write_removal_page(tmp_path / "page.html", RemovalPage("Digits", "k-jem", images, rows, "digit"))
        text = (tmp_path / "page.html").read_text()
        assert text.count("data:image/png") == 2
        assert ("23.0" in text) == bool(rows)
        assert ("are unknown" in text) == (not rows)
        assert ("reads\n  digit" in text) == bool(rows)


def test_the_page_has_scores_of_swaps_where_there_are_some(tmp_path: Path):
    score = {"name": "flow", "donor_salient": 0.9, "own_salient": 0.1, "own_common": 0.8, "donor_common": 0.2}
    cells = swap_cells([score], common="digit", salient="mark")
    assert [*cells.values()] == ["flow", "90.0", "10.0", "80.0", "20.0"]
    assert [*cells][1:3] == ["mark of donor, % ↑", "own mark, % ↓"]
    for swaps in ([cells], []):
        page = RemovalPage("Digits", "k-jem", {"Target": torch.rand(3, 1, 8, 8)}, removal_cells([[ROW]]), "digit", swaps)
        write_removal_page(tmp_path / "page.html", page)
        assert ("mark of donor" in (tmp_path / "page.html").read_text()) == bool(swaps)


def test_the_page_names_no_judge_where_there_is_none(tmp_path: Path):
    plain = {name: ROW[name] for name in ("name", "psnr", "ssim", "inside", "outside")}
    page = RemovalPage("Brains", "k-jem", {"Target": torch.rand(3, 1, 8, 8, 8)}, removal_cells([[plain | {"controls": 0.2}]]), "")
    write_removal_page(tmp_path / "page.html", page)
    text = (tmp_path / "page.html").read_text()
    assert "judge" not in text
    assert "change of background" in text


def test_volumes_are_shown_by_a_slice(tmp_path: Path):
    write_removal_page(tmp_path / "page.html", RemovalPage("Brains", "k-jem", {"Target": torch.rand(2, 1, 6, 7, 8)}, [], "age"))
    assert "data:image/png" in (tmp_path / "page.html").read_text()
