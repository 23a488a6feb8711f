"""Folders of classes as users have them: with what systems leave there, links, and splits."""

from pathlib import Path

import pytest

from keras_fm.data.user import folders
from keras_fm.data.user.folders import read_folder
from keras_fm.errors import DataError, DataWarning
from keras_fm.preprocessing.images.folders import IMAGE_SUFFIXES

SYSTEM_FOLDERS = [
    ".ipynb_checkpoints", "@eaDir", "__MACOSX", ".thumbnails", "$RECYCLE.BIN", ".hidden",
    "System Volume Information", "lost+found", "$Recycle.Bin", "@EADIR",
]  # fmt: skip


@pytest.fixture
def photos(tmp_path):
    """Two classes with two files each, one of which lies deeper."""
    folder = tmp_path / "photos"
    for label in ("cat", "dog"):
        write(folder / label / "0.jpg", folder / label / "more" / "1.jpg")
    return folder


def write(*files):
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def read(folder):
    """Return the names of the classes and the paths of the files, relative to the folder."""
    raw = read_folder(folder, IMAGE_SUFFIXES, "images")
    return sorted(set(raw.targets)), [str(file.relative_to(folder)) for file in raw.inputs]


PHOTOS = ["cat/0.jpg", "cat/more/1.jpg", "dog/0.jpg", "dog/more/1.jpg"]


@pytest.mark.parametrize("name", SYSTEM_FOLDERS)
@pytest.mark.parametrize("parent", ["", "cat", "cat/more"])
def test_folders_of_the_system_hold_no_images(photos, name, parent):
    write(photos / parent / name / "0.jpg", photos / parent / name / "deeper" / "1.jpg")
    assert read(photos) == (["cat", "dog"], PHOTOS)


@pytest.mark.parametrize(
    "name", ["Thumbs.db", "desktop.ini", "Desktop.ini", ".DS_Store", "._0.jpg"]
)
def test_files_of_the_system_are_not_counted(photos, name):
    write(photos / name, photos / "cat" / name, photos / "cat" / "more" / name)
    assert read(photos) == (["cat", "dog"], PHOTOS)


def test_a_hidden_folder_above_does_not_matter(photos):
    hidden = photos.rename(photos.parent / ".cache")
    assert read(hidden) == (["cat", "dog"], PHOTOS)


@pytest.mark.parametrize(
    "suffix",
    [".webp", ".jfif", ".jpe", ".tif", ".tiff", ".avif", ".heic", ".bmp", ".gif", ".JPG", ".Png"],
)
def test_files_of_all_formats_are_images(photos, suffix):
    (photos / "cat" / "0.jpg").rename(photos / "cat" / f"0{suffix}")
    assert read(photos)[1] == [f"cat/0{suffix}", *PHOTOS[1:]]


def test_other_files_are_counted(photos):
    write(photos / "cat" / "more" / "notes.txt", photos / "cat" / "labels.csv")
    with pytest.warns(
        DataWarning,
        match=r"2 of 4 files in .*cat are not images and are left out: labels\.csv and more/not",
    ):
        assert read(photos)[1] == PHOTOS
    (photos / "cat" / "labels.csv").unlink()
    with pytest.warns(DataWarning) as caught:
        read(photos)
    assert [str(warning.message) for warning in caught] == [
        f"1 of 3 files in {photos}/cat is not an image and is left out: more/notes.txt"
    ]


def test_images_beside_the_folders_of_classes_are_told(photos):
    write(photos / "a.jpg", photos / "b.jpg", photos / "notes.txt")
    with pytest.warns(DataWarning) as caught:
        assert read(photos)[1] == PHOTOS
    assert [str(warning.message) for warning in caught] == [
        f"2 images lie directly in {photos}/, beside the folders of the classes, and are left out: "
        "a.jpg and b.jpg"
    ]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["a.jpg"], "1 image lies directly in {}/; put them in one folder per class"),
        (["a.jpg", "b.jpg"], "2 images lie directly in {}/; put them in one folder per class"),
        (["cat/a.jpg"], "{}: expected a folder of images for each of two classes or more; received "
         "one, cat/"),
        (["cat/a.jpg", "b.jpg"], "{}: expected a folder of images for each of two classes or more; "
         "received one, cat/; 1 image lies directly in {}/"),
        ([], "{}: expected a folder of images for each of two classes or more; received no folder "
         "with images"),
    ],
)  # fmt: skip
def test_a_folder_without_classes_is_described(files, message, tmp_path):
    folder = tmp_path / "flat"
    folder.mkdir()
    write(*(folder / file for file in files))
    with pytest.raises(DataError) as error:
        read(folder)
    assert str(error.value) == message.replace("{}", str(folder))


def test_linked_folders_are_followed(photos, tmp_path):
    write(tmp_path / "elsewhere" / "2.jpg", tmp_path / "elsewhere" / "more" / "3.jpg")
    write(tmp_path / "owls" / "4.jpg")
    (photos / "cat" / "linked").symlink_to(tmp_path / "elsewhere")
    (photos / "owl").symlink_to(tmp_path / "owls", target_is_directory=True)
    (photos / "dog" / "5.jpg").symlink_to(tmp_path / "owls" / "4.jpg")
    assert read(photos) == (
        ["cat", "dog", "owl"],
        ["cat/0.jpg", "cat/linked/2.jpg", "cat/linked/more/3.jpg", "cat/more/1.jpg", "dog/0.jpg",
         "dog/5.jpg", "dog/more/1.jpg", "owl/4.jpg"],
    )  # fmt: skip


@pytest.mark.parametrize("target", [".", "..", "../..", "../../..", "more"])
def test_links_in_a_circle_are_passed_over(photos, target):
    (photos / "cat" / "more" / "circle").symlink_to(photos / "cat" / target)
    (photos / "circle").symlink_to(photos)
    (photos / "another").symlink_to(photos.parent)
    assert read(photos) == (["cat", "dog"], PHOTOS)


def test_each_folder_is_read_once(photos):
    (photos / "cat" / "again").symlink_to(photos / "cat" / "more")
    (photos / "cat" / "itself").symlink_to(photos / "cat")
    assert len(folders.list_files(photos / "cat")) == 2


@pytest.mark.parametrize("name", ["photos", "cat", "more"])
def test_a_folder_that_can_not_be_read_is_named(photos, name, monkeypatch):
    iterdir = Path.iterdir

    def guarded(self):  # a mode would not keep root out
        if self.name == name:
            raise PermissionError(13, "Permission denied")
        return iterdir(self)

    monkeypatch.setattr(Path, "iterdir", guarded)
    with pytest.raises(DataError, match=f"{name} can't be read: Permission denied"):
        read(photos)


@pytest.mark.parametrize("noun", ["images", "texts"])
@pytest.mark.parametrize(
    ("names", "data", "validation"),
    [
        (["train", "val", "test"], "train", "val"),
        (["training", "testing"], "training", "testing"),
        (["train", "dev"], "train", "dev"),
        (["Training", "Validation"], "Training", "Validation"),
        (["TRAIN", "Test"], "TRAIN", "Test"),
        (["train", "eval"], "train", "eval"),
        (["train", "evaluation", "development"], "train", "development"),
        (["train", "holdout"], "train", "holdout"),
        (["training_set", "test_set"], "training_set", "test_set"),
        (["train2017", "val2017"], "train2017", "val2017"),
        (["train", "test", "annotations"], "train", "test"),
        (["train"], "train", None),
        (["val", "test"], "test", None),
    ],
)
def test_splits_are_named_as_they_are(tmp_path, names, data, validation, noun):
    for name in names:
        write(tmp_path / name / "cat" / "0.jpg", tmp_path / name / "dog" / "0.jpg")
    options = f"data={str(tmp_path / data)!r}"
    if validation:
        options += f", validation_data={str(tmp_path / validation)!r}"
    with pytest.raises(DataError) as caught:
        read_folder(tmp_path, {".jpg"}, noun)
    assert str(caught.value) == f"{tmp_path} holds splits, not classes; name them: {options}"


@pytest.mark.parametrize(
    "names",
    [["train", "bus"], ["test", "bus", "car"], ["trainer", "tester"], ["valley", "hill"]],
)
def test_other_folders_are_classes(tmp_path, names):
    for name in names:
        write(tmp_path / name / "0.jpg")
    assert read(tmp_path)[0] == sorted(names)
