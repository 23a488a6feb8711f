"""Atomic writes: the complete content under the final name, or the old one."""

import builtins
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from keras_fm import files
from keras_fm.errors import InvalidInputError


@pytest.fixture
def folder(tmp_path):
    """A folder with a file in it."""
    (tmp_path / "file.txt").write_text("old")
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(("mode", "content"), [("w", "é\r\n\n"), ("wb", b"\xff\r\n")])
@pytest.mark.parametrize("fsync", [False, True])
def test_a_file_is_replaced(mode, content, fsync, folder):
    with files.atomic_write(folder / "file.txt", mode, fsync=fsync) as stream:
        stream.write(content)
        assert (folder / "file.txt").read_text() == "old"
    expected = content if mode == "wb" else content.encode()
    assert (folder / "file.txt").read_bytes() == expected
    assert names(folder) == ["file.txt"]


def test_a_new_file_has_the_permissions_of_any_other(folder):
    with files.atomic_write(str(folder / "new.txt")) as stream:
        stream.write("new")
    assert (folder / "new.txt").stat().st_mode == (folder / "file.txt").stat().st_mode


def test_a_temporary_path_ends_in_the_name(folder):
    with files.atomic_path(folder / "a.weights.h5") as path:
        assert path.parent == folder
        assert path.name.startswith(".partial-")
        assert path.name.endswith("a.weights.h5")
        path.write_text("weights")
    assert names(folder) == ["a.weights.h5", "file.txt"]


def test_two_writers_do_not_mix(folder):
    with (
        files.atomic_write(folder / "file.txt") as first,
        files.atomic_write(folder / "file.txt") as second,
    ):
        first.write("first")
        second.write("second")
        first.flush()
    assert (folder / "file.txt").read_text() in ("first", "second")
    assert names(folder) == ["file.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_the_old_file_alone(error, folder):
    def write():
        with files.atomic_write(folder / "file.txt") as stream:
            stream.write("new")
            stream.flush()
            raise error

    with pytest.raises(error):
        write()
    assert (folder / "file.txt").read_text() == "old"
    assert names(folder) == ["file.txt"]


def test_a_path_that_nothing_was_written_to_is_an_error(folder):
    with pytest.raises(FileNotFoundError), files.atomic_path(folder / "file.txt"):
        pass
    assert (folder / "file.txt").read_text() == "old"


def test_a_folder_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), files.atomic_write(tmp_path / "none" / "file.txt"):
        raise AssertionError("the block was run")


class FullDisk:
    """A stream to a disk that is full when the last bytes are written out."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        return self.stream

    def __exit__(self, *error):
        self.stream.close()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_the_old_file_alone(folder, monkeypatch):
    opened = builtins.open
    monkeypatch.setattr(files, "open", lambda *a, **k: FullDisk(opened(*a, **k)), raising=False)
    write = files.atomic_write(folder / "file.txt")
    with pytest.raises(OSError, match="No space left"), write as stream:
        stream.write("new")
    assert (folder / "file.txt").read_text() == "old"
    assert names(folder) == ["file.txt"]


def test_what_can_not_be_synced_is_not_renamed(folder, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(files.os, "fsync", fail)
    write = files.atomic_write(folder / "file.txt", fsync=True)
    with pytest.raises(OSError, match="Input/output error"), write as stream:
        stream.write("new")
    assert (folder / "file.txt").read_text() == "old"
    assert names(folder) == ["file.txt"]


def test_fsync_reaches_the_file_before_the_rename_and_the_folder_after_it(folder, monkeypatch):
    synced = []
    monkeypatch.setattr(files, "_fsync", lambda path: synced.append((path, folder_content())))

    def folder_content():
        return (folder / "file.txt").read_text()

    with files.atomic_write(folder / "file.txt", fsync=True) as stream:
        stream.write("new")
    [(file, before), (parent, after)] = synced
    assert file.name.startswith(".partial-")
    assert (before, parent, after) == ("old", folder, "new")


KILLED = """
import sys
from keras_fm import files
with files.atomic_write(sys.argv[1]) as stream:
    stream.write("new")
    stream.flush()
    print("written", flush=True)
    sys.stdin.read()
"""


def test_a_process_that_is_killed_leaves_the_old_file(folder):
    command = [sys.executable, "-c", KILLED, str(folder / "file.txt")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (folder / "file.txt").read_text() == "old"
    assert len(list(folder.glob(".partial-*-file.txt"))) == 1
    with files.atomic_write(folder / "file.txt") as stream:
        stream.write("new")
    assert (folder / "file.txt").read_text() == "new"


def test_a_directory_appears_complete(folder):
    with files.atomic_directory(folder / "1") as new:
        (new.temporary / "inner").mkdir()
        (new.temporary / "inner" / "a").write_text("a")
        assert not (folder / "1").exists()
    assert (folder / "1" / "inner" / "a").read_text() == "a"
    assert (folder / "1").stat().st_mode & 0o777 == 0o755
    assert names(folder) == ["1", "file.txt"]


def test_all_of_a_directory_is_on_the_disk_before_it_has_its_name(folder, monkeypatch):
    synced = []
    monkeypatch.setattr(
        files, "_fsync", lambda path: synced.append((path.name, (folder / "1").exists()))
    )
    with files.atomic_directory(folder / "1") as new:
        (new.temporary / "inner").mkdir()
        (new.temporary / "inner" / "a").write_text("a")
    assert sorted(synced[:-1]) == sorted(
        (name, False) for name in ("a", "inner", new.temporary.name)
    )
    assert synced[-1] == (folder.name, True)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_directory_does_not_appear_after_an_error(error, folder):
    def write():
        with files.atomic_directory(folder / "1") as new:
            (new.temporary / "a").write_text("a")
            raise error

    with pytest.raises(error):
        write()
    assert names(folder) == ["file.txt"]


def test_a_directory_with_content_is_not_replaced(folder):
    (folder / "1").mkdir()
    (folder / "1" / "a").write_text("old")
    with pytest.raises(OSError, match="1"), files.atomic_directory(folder / "1") as new:
        (new.temporary / "a").write_text("new")
    assert (folder / "1" / "a").read_text() == "old"
    assert names(folder) == ["1", "file.txt"]


def test_a_directory_that_was_taken_meanwhile_gets_another_name(folder):
    def next_path():
        return folder / str(max(int(path.name) for path in folder.glob("[0-9]")) + 1)

    with files.atomic_directory(folder / "1", next_path) as new:
        (new.temporary / "a").write_text("mine")
        for number in (1, 2):
            (folder / str(number)).mkdir()
            (folder / str(number) / "a").write_text("theirs")
    assert new.path == folder / "3"
    assert [(folder / n / "a").read_text() for n in "123"] == ["theirs", "theirs", "mine"]
    assert names(folder) == ["1", "2", "3", "file.txt"]


def test_a_directory_that_can_not_be_renamed_gets_no_other_name(folder, monkeypatch):
    def refuse(self, target):
        raise OSError(errno.EACCES, "refused")

    def next_path():
        raise AssertionError("no other name helps")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="refused"), files.atomic_directory(folder / "1", next_path):
        pass
    assert names(folder) == ["file.txt"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("~/photos", "HOME/photos"),
        ("~", "HOME"),
        (Path("~", "runs", "a"), "HOME/runs/a"),
        ("a~b", "a~b"),
        ("~nobody_of_this_name/x", "~nobody_of_this_name/x"),
        ("C:/photos", "C:/photos"),
        ("a:b", "a:b"),
    ],
)
def test_a_tilde_is_the_home_folder(path, expected, monkeypatch):
    monkeypatch.setenv("HOME", "HOME")
    assert files.local_path(path) == Path(expected)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gs://bucket/photos", "on this machine; received gs://bucket/photos: copy it here first"),
        ("S3://bucket/x.csv", "on this machine; received S3://"),
        (Path("https://host/x"), "on this machine; received https:/host/x"),
        ("a\0b", r"received 'a\\x00b'"),
        ("QUJD" * 500_000, "received 'QUJDQUJD"),
    ],
)
def test_what_is_no_path_of_this_machine_is_refused(path, message):
    with pytest.raises(InvalidInputError, match=message):
        files.local_path(path)
