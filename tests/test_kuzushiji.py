import contextlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakitori.corpora import folders, kuzushiji
from kakitori.errors import DataError
from tests.bundles import drain, make_tar
from tests.bundles import write as write_folder
from tests.fuzzing import fuzz
from tests.pictures import picture

KANJI = {
    "kkanji2/U+4E00/1f2a3b4c5d6e7f80.png": picture(dark=False),
    "kkanji2/U+4E03/0f2a3b4c5d6e7f80.png": picture(dark=False),
    "kkanji2/U+2000B/aa.png": picture(dark=False),
}


def frames(count: int) -> np.ndarray:
    """White bars on black, in another place each time."""
    images = np.zeros((count, 28, 28), np.uint8)
    for k, image in enumerate(images):
        image[4:24, 5 + k % 15 : 9 + k % 15] = 230
    return images


def write(
    folder: Path, images: np.ndarray, labels: np.ndarray, part: str = "train", packed: bool = True
) -> Path:
    folder.mkdir(exist_ok=True)
    save = np.savez_compressed if packed else np.savez
    save(folder / f"k49-{part}-imgs.npz", images)
    save(folder / f"k49-{part}-labels.npz", labels)
    return folder


def test_the_classes_are_the_48_hiragana_and_the_iteration_mark():
    codes = [ord(c) for c in kuzushiji.CLASSES]
    assert len(codes) == 49 and codes == sorted(set(codes))
    assert [hex(c)[2:] for c in codes[:7]] == [
        "3042",
        "3044",
        "3046",
        "3048",
        "304a",
        "304b",
        "304d",
    ]
    assert codes[-2:] == [0x3093, 0x309D]
    assert not set(kuzushiji.CLASSES) & set("ぁっゃがぱ")


@pytest.mark.parametrize("packed", [True, False])
def test_kuzushiji_49(tmp_path, packed):
    count = 600
    labels = (np.arange(count) % 49).astype(np.uint8)
    write(tmp_path / "k", frames(count), labels, packed=packed)
    write(tmp_path / "k", frames(3), labels[:3], "test")
    sources = kuzushiji.sources(tmp_path / "k", "raw/K49")
    assert [s.file for s in sources] == ["k49-test-imgs.npz", "k49-train-imgs.npz"]
    samples = sources[1].read(64)
    assert "".join(map(chr, samples.codepoint[:49])) == kuzushiji.CLASSES
    assert samples.writer_group == ""
    chunks = list(samples.chunks)
    assert [len(c.images) for c in chunks] == [256, 256, 88]
    images = np.concatenate([c.images for c in chunks])
    assert (images[:, 32, 32] > 200).all() and images[:, 32, 3].max() == 0
    assert (chunks[0].contrast == 230).all()
    assert len(drain(sources[0].read(32))) == 3


def test_the_class_map_is_used_where_it_is(tmp_path):
    write(tmp_path / "k", frames(2), np.array([0, 1], np.uint8))
    classmap = tmp_path / "k/k49_classmap.csv"
    classmap.write_text("index,codepoint,char\n0,U+3093,ん\n1,U+3042,あ\n", "utf-8")
    (source,) = kuzushiji.sources(tmp_path, "raw/K49")
    assert source.read(32).codepoint.tolist() == [0x3093, 0x3042]
    for damage in ("", "a,b\n1,2\n", "index,codepoint\nx,U+3042\n", "index,codepoint\n0,3042\n"):
        classmap.write_text(damage)
        with pytest.raises(DataError, match=r"k49_classmap\.csv: expected"):
            source.read(32)


@pytest.mark.parametrize("kind", ["tar", "folder"])
def test_kuzushiji_kanji(tmp_path, kind):
    if kind == "tar":
        path = make_tar(tmp_path / "kkanji.tar", KANJI)
    else:
        path = write_folder(tmp_path / "KKanji", KANJI)
    (source,) = kuzushiji.sources(path, "raw/KKanji")
    assert folders.sources(path, "raw/KKanji") == []
    samples = source.read(64)
    assert sorted(samples.codepoint) == [0x4E00, 0x4E03, 0x2000B]
    assert samples.writer_group == "" and (drain(samples)[:, 32, 32] > 200).all()


def test_a_tar_with_climbing_names_is_refused(tmp_path):
    path = make_tar(tmp_path / "kkanji.tar", KANJI | {"kkanji2/../../U+4E00/x.png": b""})
    with pytest.raises(DataError, match="climbs out"):
        kuzushiji.sources(path, "raw/KKanji")


def test_other_folders_are_not_of_this_kind(tmp_path):
    write_folder(tmp_path, {"U+4E00/a.png": picture(), "a.npz": b"", "kmnist-train-imgs.npz": b""})
    assert kuzushiji.sources(tmp_path, "raw/x") == []


def test_pickled_objects_are_refused(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    write(tmp_path / "k", np.array([Bomb()], object), np.zeros(1, np.uint8))
    (source,) = kuzushiji.sources(tmp_path, "raw/K49")
    with pytest.raises(DataError, match="expected an array of bytes"):
        source.read(32)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (frames(3), np.array([0, 49, 1], np.uint8), "entry 1: expected a class below 49, found 49"),
        (frames(3), np.zeros(4, np.uint8), r"expected images of shape \(4, 28, 28\)"),
        (np.zeros((3, 32, 32), np.uint8), np.zeros(3, np.uint8), "expected images of shape"),
        (frames(3).astype(np.int32), np.zeros(3, np.uint8), "expected an array of bytes"),
        (np.asfortranarray(frames(3)), np.zeros(3, np.uint8), "expected an array of bytes"),
        (frames(3), np.zeros((3, 1), np.uint8), "expected a list of labels"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, images, labels, message):
    write(tmp_path / "k", images, labels)
    (source,) = kuzushiji.sources(tmp_path, "raw/K49")
    with pytest.raises(DataError, match=message):
        source.read(32)


def test_images_without_labels_are_refused(tmp_path):
    write(tmp_path / "k", frames(3), np.zeros(3, np.uint8))
    (tmp_path / "k/k49-train-labels.npz").unlink()
    with pytest.raises(DataError, match=r"expected 'k/k49-train-labels\.npz' beside it"):
        kuzushiji.sources(tmp_path, "raw/K49")


def test_a_header_that_promises_more_than_there_is(tmp_path):
    write(tmp_path / "k", frames(3), np.zeros(3, np.uint8))
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (3, 28, 28), }\n"
    data = b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + bytes(2000)
    with zipfile.ZipFile(tmp_path / "k/k49-train-imgs.npz", "w") as bundle:
        bundle.writestr("arr_0.npy", data)
    (source,) = kuzushiji.sources(tmp_path, "raw/K49")
    with pytest.raises(DataError, match="expected 2352 bytes more, found 2000: cut short"):
        drain(source.read(32))


@pytest.mark.parametrize("which", ["imgs", "labels"])
def test_damaged_files_end_in_an_error_or_in_samples(tmp_path_factory, which):
    folder = write(tmp_path_factory.mktemp("k") / "k", frames(5), np.arange(5, dtype=np.uint8))
    (source,) = kuzushiji.sources(folder, "raw/K49")
    path = folder / f"k49-train-{which}.npz"
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError):
            drain(source.read(16))

    @fuzz(400)
    @given(st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(1, 255)), min_size=1))
    def check(flips):
        raw = bytearray(whole)
        for at, value in flips:
            raw[at] ^= value
        path.write_bytes(raw)
        with contextlib.suppress(DataError):
            assert len(drain(source.read(16))) == 5

    check()


def test_the_header_is_that_of_numpy():
    """numpy.save writes what the reader expects, at every size of a real file."""
    for count in (1, 38_547, 232_365):
        out = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            out, {"descr": "|u1", "fortran_order": False, "shape": (count, 28, 28)}
        )
        assert kuzushiji._HEADER.fullmatch(out.getvalue()[10:])[1] == f"{count}, 28, 28".encode()
