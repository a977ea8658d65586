"""Runs on the hub: pushed to a stub of it on the loopback, and loaded from there and from a folder."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub
import numpy as np
import pytest
import torch
from huggingface_hub import constants
from tests.runs.test_rows import SHORT, TOY, table  # noqa: F401  # a fixture

from sepclr import from_pretrained, push_to_hub
from sepclr.cli import main
from sepclr.runs.encode import encode_file
from sepclr.runs.folder import RunFolder
from sepclr.runs.hub import PUBLISHED, stage
from sepclr.runs.trained import load_method
from sepclr.training import encode
from sepclr.types import InputError

X = np.random.default_rng(0).integers(256, size=(5, 1, 12, 12)).astype(np.uint8)
TOKEN = "hf_secretsecretsecret"


class Stub(ThreadingHTTPServer):
    """The endpoints of the hub that are called; every file is part of the commit."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {}
        self.private: bool | None = None
        self.tokens: set[str | None] = set()

    @property
    def commit(self) -> str:
        return hashlib.sha1(repr(sorted(self.files)).encode()).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    server: Stub

    def log_message(self, *arguments: Any) -> None:
        pass

    def _answer(self, content: bytes | dict[str, Any] | list[Any], status: int = 200, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_POST(self) -> None:
        self.server.tokens.add(self.headers["Authorization"])
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = urlsplit(self.path).path
        if path == "/api/repos/create":
            there = self.server.private is not None
            asked = json.loads(body)
            self.server.private = self.server.private if there else bool(asked.get("private")) or asked.get("visibility") == "private"
            self._answer({"url": f"{self.server.address}/me/run"}, 409 if there else 200)
        elif path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif path == "/api/models/me/run/preupload/main":
            named = [each["path"] for each in json.loads(body)["files"]]
            self._answer({"files": [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in named]})
        elif path == "/api/models/me/run/commit/main":
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            commit = self.server.commit
            self._answer({"commitUrl": f"{self.server.address}/me/run/commit/{commit}", "commitOid": commit, "success": True})
        else:
            self._answer({"error": path}, 404)

    def do_GET(self) -> None:
        path, commit = urlsplit(self.path).path, self.server.commit
        if path in ("/api/models/me/run", "/api/models/me/run/revision/main", f"/api/models/me/run/revision/{commit}"):
            names = [{"rfilename": name} for name in self.server.files]
            self._answer({"id": "me/run", "sha": commit, "private": self.server.private, "siblings": names})
        elif path == f"/api/models/me/run/tree/{commit}":
            files = self.server.files.items()
            self._answer([{"type": "file", "path": name, "size": len(content), "oid": _oid(content)} for name, content in files])
        elif path.startswith(f"/me/run/resolve/{commit}/") and (name := path.rpartition("/")[2]) in self.server.files:
            content = self.server.files[name]
            self._answer(content, ETag=f'"{_oid(content)}"', X_Repo_Commit=commit)
        else:
            self._answer({"error": path}, 404, X_Error_Code="RepoNotFound" if "/me/run" not in path else "RevisionNotFound")

    do_HEAD = do_GET


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stub]:
    stub = Stub()
    thread = Thread(target=stub.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", stub.address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", stub.address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield stub
    stub.shutdown()
    stub.server_close()
    thread.join()


def test_a_run_is_pushed_and_gives_the_same_codes(hub: Stub, tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["push", str(tiny_run), "me/run", "--private"]) == 0
    said = capsys.readouterr()
    assert said.out == f"pushed: {hub.address}/me/run/commit/{hub.commit}\n"
    assert hub.private
    assert {*hub.files} == {*PUBLISHED} - {"preparation.safetensors", "certificate.json"}
    assert hub.tokens == {f"Bearer {TOKEN}"}
    assert TOKEN not in said.err
    assert not any(TOKEN.encode() in content for content in hub.files.values())
    expected = encode(load_method(RunFolder(tiny_run))[0], torch.from_numpy(X))
    for revision in (None, hub.commit):
        model = from_pretrained("me/run", revision=revision)
        assert torch.equal(model.encode(X).c, expected.c)
    np.testing.assert_array_equal(model.transform(X), torch.cat(expected, 1))
    np.save(tmp_path / "x.npy", X)
    assert main(["encode", str(model.folder), "--input", str(tmp_path / "x.npy"), "--out", str(tmp_path / "codes.npz")]) == 0
    with pytest.raises(InputError, match="me/run at v2: cannot be fetched"):
        from_pretrained("me/run", revision="v2")
    with pytest.raises(InputError, match="you/run: cannot be fetched"):
        from_pretrained("you/run")


def test_what_the_hub_refuses_is_one_line(hub: Stub, tiny_run: Path):
    hub.private = False
    with pytest.raises(InputError, match="me/run: is public already"):
        push_to_hub(tiny_run, "me/run", private=True)
    assert hub.files == {}
    with pytest.raises(InputError, match=r"you/run: cannot be pushed: .*404 Not Found"):
        push_to_hub(tiny_run, "you/run")


def test_the_card_has_the_separation_and_the_certificate(tiny_run: Path, tmp_path: Path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    (tmp_path / "plain").mkdir()
    stage(RunFolder(run), tmp_path / "plain", "me/run")
    card = huggingface_hub.ModelCard.load(tmp_path / "plain" / "README.md")
    assert card.data.library_name == "sepclr"
    assert "`sepclr certify` was not run" in card.text
    rows = [json.loads(line) for line in (run / "rows.jsonl").read_text().splitlines()]
    wanted = {"protocol": "strict", "metric": "balanced_accuracy", "encoder": "trained"}
    scores = {(row["attribute"], row["space"]): row for row in rows if wanted.items() <= row.items()}
    lines = {line.split(" | ")[0].removeprefix("| "): line.split(" | ") for line in card.text.splitlines() if line.startswith("| ")}
    for name, space in (("digit", "c"), ("mark", "s"), ("group", "s")):
        assert lines[name][1] == space
        for place, there in enumerate("cs", 2):
            assert f"{100 * scores[name, there]['score']:.1f}" in lines[name][place]
            assert lines[name][place].startswith("**") == (there == space)
    assert "sepclr fit marked-digits --config config.yaml" in card.text
    test = {"attribute": "digit", "space": "s", "probe": "k-NN", "score": 0.34567, "p_holm": 0.5}
    (run / "certificate.json").write_text(json.dumps([{"verdict": ["No leak was found.", "At n = 40."], "tests": [test], "target": ""}]))
    (tmp_path / "certified").mkdir()
    stage(RunFolder(run), tmp_path / "certified", "me/run")
    text = (tmp_path / "certified" / "README.md").read_text()
    assert "No leak was found. At n = 40." in text
    assert "| digit | s | k-NN | 0.346 | 0.5 |" in text
    assert "was not run" not in text


def test_nothing_private_is_published_of_rows_which_are_prepared_again(
    table: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    run, out = tmp_path / "run", tmp_path / "published"
    monkeypatch.setattr("sys.argv", ["sepclr", "a-private-command"])
    assert main(["fit", "rows", "--table", str(table), *TOY, "--covariates", "site", *SHORT, "--out", str(run)]) == 0
    out.mkdir()
    files = stage(RunFolder(run), out, "me/run")
    assert {path.name for path in files} == {*PUBLISHED} - {"certificate.json"}
    for path in files:
        content = path.read_text(errors="replace")
        for private in (str(tmp_path), "s17", json.loads((run / "environment.json").read_text())["command"], "processor"):
            assert private not in content, (path.name, private)
    model = from_pretrained(out)
    lines = [line.split(",") for line in table.read_text().splitlines()]
    columns = {name: np.array([line[place] for line in lines[1:]]) for place, name in enumerate(lines[0])}
    x = np.stack([columns[name].astype(float) for name in ("f0", "f1", "f2")], 1)
    expected = encode_file(run, table, tmp_path / "codes.npz")
    np.testing.assert_allclose(model.encode(x, {"site": columns["site"]}).s, expected.s, atol=1e-5)
    assert main(["encode", str(out), "--input", str(table), "--out", str(tmp_path / "again.npz")]) == 0
    for given, said in (
        ((x[:, :2],), "give rows of numbers, \\(n, 3\\), features f0, f1, f2"),
        ((x,), "covariates: 'site' is missing"),
        ((x, {"site": np.full(60, "c")}), "covariates: 'site' is c, which no training row is"),
    ):
        with pytest.raises(InputError, match=said):
            model.encode(*given)


def test_a_file_that_names_a_folder_is_not_published(tiny_run: Path, tmp_path: Path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    (run / "certificate.json").write_text(json.dumps({"verdict": f"see {run.parent}/run"}))
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match=r"names the folder .*/run, which would be published"):
        stage(RunFolder(run), tmp_path / "out", "me/run")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda run: (run / "config.yaml").unlink(), "not a run"),
        (lambda run: (run / "model.safetensors").unlink(), "training has not finished"),
        (
            lambda run: (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("common_dim: 4", "common_dim: 5")),
            "cannot be read",
        ),
        (lambda run: (run / "config.yaml").write_text("!!python/object/apply:os.system ['touch owned']"), "restore the original"),
    ],
)
def test_a_folder_that_cannot_be_loaded_is_named(tiny_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage, said):
    monkeypatch.chdir(tmp_path)
    damage(run := shutil.copytree(tiny_run, tmp_path / "run"))
    with pytest.raises(InputError, match=said):
        from_pretrained(run)
    assert not (tmp_path / "owned").exists()


def test_words_that_cannot_be_used_are_named_before_anything_is_sent(
    tiny_run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    assert main(["push", str(tiny_run), "run"]) == 2
    assert "run: neither a folder nor OWNER/NAME" in capsys.readouterr().err
    monkeypatch.setattr("sepclr.extras.find_spec", lambda name: None)
    assert main(["push", str(tiny_run), "me/run"]) == 2
    assert "push: needs huggingface_hub; pip install 'sepclr[hub]'" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"revision: .* is a folder"):
        from_pretrained(tiny_run, revision="main")
    with pytest.raises(InputError, match="x: samples have shape"):
        from_pretrained(tiny_run).encode(X[:, :, :5])
