"""CIFAR-10 and STL-10 from tiny archives on loopback: every byte in its place, whatever befalls a download."""

from __future__ import annotations

import hashlib
import io
import sys
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from mibounds.errors import DataError, ParameterError, StoreError
from mibounds.representation.sources.cifar10 import CIFAR10
from mibounds.representation.sources.cifar10 import MEMBERS as CIFAR_MEMBERS
from mibounds.representation.sources.stl10 import STL10
from mibounds.representation.views import load

NAME = "tiny.tar.gz"
CUT = 100_000
RANDOM = np.random.default_rng(0)
IDENTITY = load("identity")()


def archive_of(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    """A tar.gz of files and, where a TarInfo is given, of links."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            body = b"" if isinstance(content, tarfile.TarInfo) else content
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def cifar_batch(n: int) -> bytes:
    rows = RANDOM.integers(0, 256, (n, 3073), dtype=np.uint8)
    rows[:, 0] = np.arange(n) % 10
    return rows.tobytes()


def stl_images(n: int) -> bytes:
    return RANDOM.integers(0, 256, (n, 3, 96, 96), dtype=np.uint8).tobytes()


CIFAR = {name: cifar_batch(20) for name in CIFAR_MEMBERS}
STL = {
    "stl10_binary/class_names.txt": b"airplane\n",
    "stl10_binary/train_X.bin": stl_images(10),
    "stl10_binary/train_y.bin": bytes([1, 10] * 5),
    "stl10_binary/test_X.bin": stl_images(3),
    "stl10_binary/test_y.bin": bytes([1, 2, 10]),
    "stl10_binary/unlabeled_X.bin": stl_images(8),
}
CIFAR_ARCHIVE, STL_ARCHIVE = archive_of(CIFAR), archive_of(STL)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site: Site = self.server.site
        asked = self.headers.get("Range")
        site.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and site.ranges else 0
        if site.status or start >= len(site.body):
            self.send_error(site.status or 416)
        else:
            self.send(site, start)

    def send(self, site: Site, start: int) -> None:
        rest = site.body[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(site.body) - 1}/{len(site.body)}")
        for name, value in site.headers.items():
            self.send_header(name, value)
        self.end_headers()
        rest, site.cut = rest[: site.cut], None
        site.sent += len(rest)
        self.wfile.write(rest)

    def log_message(self, *_: object) -> None:
        """Not on the screen."""


class Site:
    """Serves one file, and can be told to fail: after `cut` bytes once, with a status, or without ranges."""

    def __init__(self) -> None:
        self.body, self.cut, self.status, self.ranges = CIFAR_ARCHIVE, None, None, True
        self.headers: dict[str, str] = {}
        self.asked: list[str | None] = []
        self.sent = 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.site = self
        self.url = f"http://127.0.0.1:{self.server.server_port}/{NAME}"


@pytest.fixture
def site(monkeypatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("MIBOUNDS_DATA", raising=False)
    served = Site()
    thread = threading.Thread(target=served.server.serve_forever, args=(0.02,))
    thread.start()
    yield served
    served.server.shutdown()
    thread.join()
    served.server.server_close()


def md5(body: bytes) -> str:
    return f"md5:{hashlib.md5(body).hexdigest()}"


def cifar(site: Site, root: Path | None, **options) -> CIFAR10:
    return CIFAR10(IDENTITY, url=site.url, checksum=md5(site.body), root=root, **options)


def stl(site: Site, root: Path, members: dict[str, bytes] = STL, **options) -> STL10:
    site.body = STL_ARCHIVE if members is STL else archive_of(members)
    return STL10(IDENTITY, url=site.url, checksum=md5(site.body), root=root, **options)


def as_bytes(x: torch.Tensor) -> torch.Tensor:
    return (x * 255).round().to(torch.uint8)


def rows_of(source, split: str) -> list[tuple[bytes, int]]:
    x, factors = source.examples(None, 0, split=split)
    return [
        (image.numpy().tobytes(), int(label))
        for image, label in zip(as_bytes(x), factors["label"], strict=True)
    ]


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name != ".lock"}


# --- what is read ---


def test_cifars_pixels_lie_where_its_page_says(site, tmp_path):
    x, factors = cifar(site, tmp_path).examples(None, 0, split="test")
    batch = CIFAR[CIFAR_MEMBERS[-1]]
    assert x.shape == (20, 3, 32, 32) and factors["label"].tolist() == list(batch[::3073])
    for i, c, row, column in RANDOM.integers(0, (20, 3, 32, 32), (200, 4)).tolist():
        assert as_bytes(x[i, c, row, column]) == batch[3073 * i + 1 + 1024 * c + 32 * row + column]


def test_stls_pixels_lie_where_its_page_says(site, tmp_path):
    x, factors = stl(site, tmp_path).examples(None, 0, split="test")
    images = STL["stl10_binary/test_X.bin"]
    assert x.shape == (3, 3, 96, 96) and factors["label"].tolist() == [0, 1, 9]
    for i, c, row, column in RANDOM.integers(0, (3, 3, 96, 96), (200, 4)).tolist():
        assert as_bytes(x[i, c, row, column]) == images[27648 * i + 9216 * c + 96 * column + row]


def test_training_and_validation_divide_the_archives_training_images(site, tmp_path):
    source = cifar(site, tmp_path)
    train, validation = rows_of(source, "train"), rows_of(source, "validation")
    all_rows = b"".join(CIFAR[name] for name in CIFAR_MEMBERS[:-1])
    there = [(all_rows[i + 1 : i + 3073], all_rows[i]) for i in range(0, len(all_rows), 3073)]
    assert source.n_train == len(train) == 90 and sorted(train + validation) == sorted(there)
    assert sorted(label for _, label in validation) == list(range(10))


def test_the_division_depends_on_the_seed_alone(site, tmp_path):
    first, again, other = (rows_of(cifar(site, tmp_path, seed=seed), "validation") for seed in (0, 0, 1))
    assert first == again and first != other


def test_pairs_come_from_the_images_without_labels_and_examples_from_those_with(site, tmp_path):
    source = stl(site, tmp_path, unlabeled=True)
    images = np.frombuffer(STL["stl10_binary/unlabeled_X.bin"], np.uint8).reshape(8, 3, 96, 96)
    there = {np.ascontiguousarray(image.swapaxes(1, 2)).tobytes() for image in images}
    for pairs in (source.pairs(8, 0, split="train"), source.training_block(0, 8, 0)):
        assert {image.numpy().tobytes() for image in as_bytes(pairs.view_a)} == there
        assert pairs.factors["label"].tolist() == [-1] * 8
    assert source.n_train == 8
    assert {label for _, label in rows_of(source, "train")} == {0, 9}
    assert source.pairs(3, 0).factors["label"].min() >= 0


def test_the_large_file_is_unpacked_only_on_demand(site, tmp_path):
    stl(site, tmp_path)
    assert not list(tmp_path.rglob("unlabeled_X.bin"))
    stl(site, tmp_path, unlabeled=True)
    assert list(tmp_path.rglob("unlabeled_X.bin")) and len(site.asked) == 1


@pytest.mark.parametrize("source", [CIFAR10, STL10])
def test_the_example_needs_neither_files_nor_pooch(source, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert source.example().training_block(0, 16, 0).view_a.shape == (16, *source.example().shape)


# --- what befalls a download ---


def test_a_second_load_makes_no_request_even_when_the_archive_is_gone(site, tmp_path):
    first = rows_of(cifar(site, tmp_path), "train")
    (tmp_path / NAME).unlink()
    assert rows_of(cifar(site, tmp_path), "train") == first and site.asked == [None]


def test_an_archive_that_was_put_there_by_hand_is_used(site, tmp_path):
    (tmp_path / NAME).write_bytes(site.body)
    assert cifar(site, tmp_path).n_train == 90 and site.asked == []


def test_several_at_once_download_once(site, tmp_path):
    threads = [threading.Thread(target=cifar, args=(site, tmp_path)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert site.asked == [None] and cifar(site, tmp_path).n_train == 90


def test_a_download_that_was_cut_goes_on_where_it_was_cut(site, tmp_path):
    site.cut = CUT
    with pytest.raises(DataError, match=r"cut after 100,000 bytes; run again to go on"):
        cifar(site, tmp_path)
    assert cifar(site, tmp_path).n_train == 90
    assert site.asked == [None, f"bytes={CUT}-"] and site.sent == len(site.body)
    assert not list(tmp_path.glob("*.part"))


def test_it_starts_anew_where_the_server_knows_no_ranges(site, tmp_path):
    site.cut, site.ranges = CUT, False
    with pytest.raises(DataError, match="cut after"):
        cifar(site, tmp_path)
    assert cifar(site, tmp_path).n_train == 90 and site.sent == CUT + len(site.body)


def test_a_part_that_is_whole_is_not_fetched_again(site, tmp_path):
    digits = md5(site.body).removeprefix("md5:")
    (tmp_path / f"{NAME}.{digits[:8]}.part").write_bytes(site.body)
    assert cifar(site, tmp_path).n_train == 90 and site.sent == 0


def test_a_part_of_something_else_is_thrown_away(site, tmp_path):
    digits = md5(site.body).removeprefix("md5:")
    (tmp_path / f"{NAME}.{digits[:8]}.part").write_bytes(bytes(CUT))
    with pytest.raises(DataError, match="does not match"):
        cifar(site, tmp_path)
    assert left_in(tmp_path) == set() and cifar(site, tmp_path).n_train == 90


def test_a_wrong_checksum_is_named_beside_the_right_one_and_nothing_is_kept(site, tmp_path):
    expected, got = md5(b"another file"), md5(site.body).removeprefix("md5:")
    with pytest.raises(DataError, match=f"expected {expected} but got {got}.*give the checksum="):
        CIFAR10(IDENTITY, url=site.url, checksum=expected, root=tmp_path)
    assert left_in(tmp_path) == set()


def test_another_archive_of_the_same_name_is_not_taken_for_the_first(site, tmp_path):
    first = rows_of(cifar(site, tmp_path), "test")
    site.body = archive_of(CIFAR | {CIFAR_MEMBERS[-1]: cifar_batch(20)})
    assert rows_of(cifar(site, tmp_path), "test") != first


def test_compressed_bytes_stay_compressed_when_the_server_calls_that_an_encoding(site, tmp_path):
    site.headers = {"Content-Encoding": "gzip"}
    assert cifar(site, tmp_path).n_train == 90


def test_offline_says_where_to_put_the_file_by_hand(site, tmp_path):
    site.server.server_close()  # frees the port: nobody answers
    with pytest.raises(DataError, match=r"cannot reach http://127.*by hand to .*tiny\.tar\.gz"):
        cifar(site, tmp_path)


def test_a_refusal_is_passed_on_and_the_part_kept(site, tmp_path):
    site.cut = CUT
    with pytest.raises(DataError, match="cut after"):
        cifar(site, tmp_path)
    site.status = 503
    with pytest.raises(DataError, match=r"refuses: 503.*give another url="):
        cifar(site, tmp_path)
    site.status = None
    assert cifar(site, tmp_path).n_train == 90 and site.sent == len(site.body)


# --- what an archive may hold ---


def link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


def test_members_that_lead_out_of_the_folder_are_left_alone(site, tmp_path):
    site.body = archive_of({"../evil": b"x", "/tmp/../evil": b"x", "../evil/data_batch_1.bin": b"x"} | CIFAR)
    root = tmp_path / "data"
    assert cifar(site, root).n_train == 90
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {Path(name).name for name in CIFAR_MEMBERS} | {NAME, ".lock"}


UNUSABLE = {
    "truncated": (CIFAR_ARCHIVE[:CUT], "truncated"),
    "truncated at once": (CIFAR_ARCHIVE[:5], "truncated"),
    "no archive": (b"<html>moved</html>", "no tar.gz archive"),
    "member missing": (
        archive_of({k: v for k, v in CIFAR.items() if "batch_3" not in k}),
        "data_batch_3.bin",
    ),
    "member a link": (
        archive_of(
            {CIFAR_MEMBERS[0]: link(CIFAR_MEMBERS[0], "../../secret")} | dict(list(CIFAR.items())[1:])
        ),
        "has no .*batch_1",
    ),
    "part of a record": (
        archive_of(CIFAR | {CIFAR_MEMBERS[1]: cifar_batch(2)[:-1]}),
        "records of 3073 bytes",
    ),
    "empty": (archive_of(CIFAR | {CIFAR_MEMBERS[1]: b""}), "it has 0 bytes"),
    "label beyond": (archive_of(CIFAR | {CIFAR_MEMBERS[1]: b"\x0a" + bytes(3072)}), "labels of 10 classes"),
}


@pytest.mark.parametrize("damage", UNUSABLE)
def test_a_damaged_archive_is_named(site, tmp_path, damage):
    site.body, said = UNUSABLE[damage]
    with pytest.raises(DataError, match=said):
        cifar(site, tmp_path)


@pytest.mark.parametrize(
    ("labels", "said"), [([1, 10], "10 images and .* 2 labels"), ([0, 1] * 5, "got -1..0")]
)
def test_stl_labels_must_fit(site, tmp_path, labels, said):
    with pytest.raises(DataError, match=said):
        stl(site, tmp_path, STL | {"stl10_binary/train_y.bin": bytes(labels)})


# --- where it goes ---


def test_the_folder_is_the_argument_or_the_environments(site, tmp_path, monkeypatch):
    monkeypatch.setenv("MIBOUNDS_DATA", str(tmp_path / "named"))
    cifar(site, None)
    assert NAME in left_in(tmp_path / "named")
    cifar(site, tmp_path / "given")
    assert NAME in left_in(tmp_path / "given") and len(site.asked) == 2


def test_a_folder_that_cannot_be_is_named(site, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot write to .*file.*give another root="):
        cifar(site, tmp_path / "file")


@pytest.mark.parametrize(
    "bad",
    [
        {"url": "cifar.tar.gz"},
        {"url": "https://host/"},
        {"checksum": "abc"},
        {"checksum": "md5:"},
        {"checksum": "shake_128:0123456789"},
    ],
)
def test_a_url_or_checksum_that_is_none_is_refused(site, tmp_path, bad):
    with pytest.raises(ParameterError, match="must look like"):
        CIFAR10(IDENTITY, **({"url": site.url, "checksum": md5(site.body), "root": tmp_path} | bad))
    assert site.asked == []


def test_without_pooch_it_says_what_to_install(site, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(DataError, match=r"mibounds\[representation\]"):
        cifar(site, tmp_path)
