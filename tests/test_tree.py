import os

import pytest

from kakitori.errors import DataError
from kakitori.reading.normalising import tree


def test_links_are_followed_under_the_names_that_people_see(tmp_path):
    disk = tmp_path / "disk"
    (disk / "scans").mkdir(parents=True)
    (disk / "scans/1.png").write_bytes(b"1")
    (disk / "2.png").write_bytes(b"2")
    here = tmp_path / "here"
    (here / "U+66DC").mkdir(parents=True)
    (here / "U+66DC/linked.png").symlink_to(disk / "2.png")
    (here / "U+65E5").symlink_to(disk / "scans")
    (here / "U+6708").symlink_to(disk / "scans")  # the same once more: another name, another label
    listing = tree.walk(here)
    assert listing.files == ["U+65E5/1.png", "U+66DC/linked.png", "U+6708/1.png"]
    assert listing.passed_over == {}


def test_what_is_no_plain_file_is_told_with_the_reason(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "gone.png").symlink_to("nowhere")
    (tmp_path / "self.png").symlink_to("self.png")
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside/up").symlink_to("..")
    (tmp_path / "._a.png").write_bytes(b"")
    listing = tree.walk(tmp_path)
    assert listing.files == ["a.png"]
    assert listing.passed_over == {
        "pipe.png": "no plain file: a pipe, a socket or a device",
        "gone.png": "a link to nothing",
        "self.png": "a link that leads back to itself",
        "inside/up": "a link to a folder that it is in",
    }


def test_a_folder_without_rights_is_told(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    (tmp_path / "open.png").write_bytes(b"")
    real = tree.Path.iterdir

    def refuse(path):  # whoever tests as root may read everything
        if path.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(tree.Path, "iterdir", refuse)
    listing = tree.walk(tmp_path)
    assert listing == (["open.png"], {"closed": "cannot be read: Permission denied"})
    with pytest.raises(DataError, match="closed: expected a folder that can be read, found: Perm"):
        tree.walk(tmp_path / "closed")


def test_links_that_multiply_are_refused(tmp_path, monkeypatch):
    """Twelve folders, each with two links to the next: 4,096 ways down."""
    monkeypatch.setattr(tree, "MOST_LINKS", 1000)
    for k in range(13):
        (tmp_path / str(k)).mkdir()
    for k in range(12):
        for side in "ab":
            (tmp_path / f"{k}/{side}").symlink_to(f"../{k + 1}")
    with pytest.raises(DataError, match="at most 1,000 links to folders"):
        tree.walk(tmp_path)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("書 a.png", "書 a.png"),
        (b"caf\xe9.png", "caf\\xe9.png"),
        ("a\nb\t.png", "a\\nb\\t.png"),
        ("\x1b[31mred\x9b.png", "\\x1b[31mred\\x9b.png"),
        ("gnp\u202e.exe", "gnp\\u202e.exe"),
    ],
)
def test_names_are_shown_on_one_line_whatever_they_hold(name, shown):
    assert tree.shown(os.fsdecode(name)) == shown
    tree.shown(os.fsdecode(name)).encode("utf-8")
