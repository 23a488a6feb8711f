"""Weights files and entries from strangers: refused, in little memory and time; see SECURITY.md."""

import ast
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import helpers
import hostile_files
import keras
import numpy as np
import pytest

from keras_fm.errors import InvalidInputError, SchemaError, UnknownNameError, WeightsError
from keras_fm.models import hdf5, loading
from keras_fm.registry.entry import load_entry

# Files that only a comparison with the model refuses; the others are refused before it.
REFUSED_BY_MODEL = {
    "a_group_for_an_array", "an_array_for_a_group", "wrong_shape", "turned",
    "arrays_in_the_wrong_places", "one_more", "one_less",
}  # fmt: skip
# Arguments that these calls must have.
REQUIRED_ARGUMENTS = {"load_model": {"safe_mode": "True", "compile": "False"}}
# Files that h5py alone reads without an error.
READ_BY_H5PY = {
    "external_link",
    "soft_link",
    "array_in_another_file",
    "array_of_other_files",
    "packed",
}


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A weights file of `tiny_net` as Keras writes it."""
    path = tmp_path_factory.mktemp("good") / "good.weights.h5"
    module = {}
    exec(helpers.MODEL.replace("NAME", "tiny_net"), module)
    module["build"]().save_weights(path)
    return path


@pytest.fixture(scope="module")
def files(good, tmp_path_factory):
    """All hostile files, by the name of their fault."""
    folder = tmp_path_factory.mktemp("hostile")
    return {
        builder.__name__: hostile_files.build(builder, good, folder)
        for builder in hostile_files.BUILDERS
    }


def read_in_child(action, paths):
    """Read the files in a process of little memory; return the results and the memory used."""
    process = subprocess.run(
        [sys.executable, hostile_files.__file__, action, *map(str, paths)],
        cwd=helpers.ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def test_a_valid_file_loads(tiny_net, good):
    assert loading.get("tiny_net", weights=good) is not None


def test_hostile_files_are_refused(tiny_net, files):
    for name, path in files.items():
        with pytest.raises(WeightsError) as caught:
            loading.get("tiny_net", weights=path)
        sentence = str(caught.value)
        assert "\n" not in sentence, name
        assert len(sentence) < 1_500, name
        by_model = "does not fit the model" in sentence
        assert by_model == (name in REFUSED_BY_MODEL), f"{name}: {sentence}"


@pytest.mark.parametrize("name", ["external_link", "soft_link", "soft_link_loop"])
def test_no_link_is_followed(name, files):
    with pytest.raises(WeightsError, match="is a link to another place"):
        hdf5.array_shapes(files[name])


def test_hostile_files_are_refused_in_little_memory(files):
    report = read_in_child("check", files.values())
    assert report["megabytes"] < 50
    for name, path in files.items():
        result = report["results"][str(path)]
        assert isinstance(result, int if name in REFUSED_BY_MODEL else str), f"{name}: {result}"


def test_without_the_check_hostile_files_do_harm(files):
    """Otherwise the two tests above would prove nothing."""
    paths = {str(files[name]): [4, 10] for name in READ_BY_H5PY}
    paths[str(files["packed_bomb"])] = "no memory left"
    assert read_in_child("read", paths)["results"] == paths


def test_scrambled_files_are_read_or_refused(good, tmp_path):
    raw = good.read_bytes()
    paths = [tmp_path / f"{seed}.weights.h5" for seed in range(300)]
    for seed, path in enumerate(paths):
        path.write_bytes(hostile_files.scrambled(raw, seed))
    report = read_in_child("check", paths)
    assert report["megabytes"] < 50
    refused = [result for result in report["results"].values() if isinstance(result, str)]
    assert 50 < len(refused) < 300


def test_an_array_in_chunks_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        file.create_dataset("a", data=np.ones((4, 4)), chunks=(2, 2))
    with pytest.raises(WeightsError, match="'/a' is stored in pieces"):
        hdf5.array_shapes(tmp_path / "a.weights.h5")


def test_bfloat16_is_read_and_the_optimizer_is_not(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        file["layers/dense/vars/0"] = np.zeros((3, 2), "V2")  # as Keras writes bfloat16
        file["optimizer/vars/0"] = np.zeros(5)
    assert hdf5.array_shapes(tmp_path / "a.weights.h5") == {(3, 2): 1}


@pytest.fixture
def evil(tmp_path):
    """A `.keras` file whose Lambda leaves a file `ran` beside it when it runs."""
    marker = tmp_path / "ran"
    run = f"(__import__('pathlib').Path({str(marker)!r}).touch(), x)[1]"
    image = keras.Input((32, 32, 3), name="image")
    model = keras.Model(image, keras.layers.Lambda(eval(f"lambda x: {run}"))(image))
    model.save(tmp_path / "evil.keras")
    marker.unlink()
    yield tmp_path / "evil.keras"
    assert not marker.exists()


def rewrite(path, change=lambda config: None, weights=None, compression=0, **added):
    """Write the `.keras` file anew with another configuration, other weights, or more members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    members["model.weights.h5"] = weights or members["model.weights.h5"]
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in {**members, **added}.items():
            archive.writestr(name, content)
    return path


def disguise(config):
    """Make a configuration look like that of a model of keras_fm."""
    config["registered_name"] = "keras_fm>ZooModel"


@pytest.mark.parametrize("name", ["evil.keras", "evil.weights.h5"])
def test_an_archive_is_no_weights_file(tiny_net, evil, name):
    path = evil.rename(evil.with_name(name))
    with pytest.raises((InvalidInputError, WeightsError), match=name):
        loading.get("tiny_net", weights=path)


def test_an_archive_with_code_in_it_is_refused(evil):
    with pytest.raises(WeightsError, match="not the file of a model of keras_fm"):
        loading.get(evil)
    with pytest.raises(WeightsError, match=r"asks for keras\.layers\.Lambda, which may run code"):
        loading.get(rewrite(evil, disguise))


@pytest.fixture
def saved(tiny_net, tmp_path):
    """A `.keras` file of a model of keras_fm."""
    loading.get("tiny_net", weights=None).save(tmp_path / "saved.keras")
    return tmp_path / "saved.keras"


def test_an_archive_of_keras_fm_opens(saved):
    assert loading.get(saved).name == "tiny_net"


def test_weights_in_an_archive_are_checked_too(saved, files):
    path = rewrite(saved, weights=files["external_link"].read_bytes())
    with pytest.raises(WeightsError, match="is a link to another place"):
        loading.get(path)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"../../evil": "x"}, "it holds ../../evil"),
        ({"/etc/evil": "x"}, "it holds /etc/evil"),
        ({"assets/evil.txt": "x"}, "it holds assets/evil"),
        ({"config.json": "[" * 100_000}, "can't be opened as a Keras model"),
        ({"config.json": "{}"}, "not the file of a model of keras_fm"),
        ({"config.json": " " * 1_000_001}, "1,000,001 bytes, expected at most 1,000,000"),
        ({"compression": zipfile.ZIP_DEFLATED}, "is packed, as Keras does not do"),
        ({"model.weights.h5": "x"}, "not a readable weights file"),
    ],
)
def test_an_archive_holds_what_keras_writes_into_it(saved, changes, complaint):
    with pytest.raises(WeightsError, match=re.escape(complaint)):
        loading.get(rewrite(saved, **changes))


def test_an_encrypted_archive_is_refused(saved):
    content = bytearray(saved.read_bytes())
    with zipfile.ZipFile(saved) as archive:
        offsets = [member.header_offset + 6 for member in archive.infolist()]
    position = content.find(b"PK\1\2")
    while position >= 0:  # the members of the central directory
        offsets.append(position + 8)
        position = content.find(b"PK\1\2", position + 1)
    for offset in offsets:
        content[offset] |= 1
    saved.write_bytes(content)
    with pytest.raises(WeightsError, match="is packed, as Keras does not do"):
        loading.get(saved)


@pytest.mark.parametrize(
    "swap",
    [("keras.layers", "os"), ("keras.layers", "subprocess"), ("keras.layers", "their_zoo.model"),
     ('"Conv2D"', '"TFSMLayer"'), ('"Conv2D"', '"__lambda__"')],
)  # fmt: skip
def test_an_archive_names_only_layers(saved, swap):
    def change(config):
        text = json.dumps(config)
        assert swap[0] in text
        config.update(json.loads(text.replace(*swap)))

    with pytest.raises(WeightsError, match="which may run code: refused"):
        loading.get(rewrite(saved, change))


def test_nothing_in_the_project_loads_code():
    """No pickle, no array of objects, no archive but in safe mode."""
    forbidden = {"pickle", "dill", "joblib", "marshal", "eval", "exec"}
    forbidden |= {"enable_unsafe_deserialization"}
    sources = [*Path(hdf5.__file__).parents[1].rglob("*.py"), *(helpers.ROOT / "zoo").rglob("*.py")]
    assert len(sources) > 50
    violations = []
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = {getattr(node, field, None) for field in ("id", "attr", "module")}
            names |= {getattr(alias, "name", None) for alias in getattr(node, "names", [])}
            violations += [f"{path}:{node.lineno}: {name}" for name in names & forbidden]
            if isinstance(node, ast.Call):
                arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                required = REQUIRED_ARGUMENTS.get(ast.unparse(node.func).rpartition(".")[2], {})
                if required.items() - arguments.items():
                    violations.append(f"{path}:{node.lineno}: {ast.unparse(node)}")
    assert not violations, "\n".join(violations)


@pytest.mark.parametrize(
    "value",
    ["../a.weights.h5", "weights/../../a.weights.h5", "/tmp/a.weights.h5", "~/a.weights.h5",
     "..\\a.weights.h5", "C:/a.weights.h5", "weights/a.weights.h5\n", "weights//a.weights.h5",
     "weights/a.weights.h5/..", "file:///a.weights.h5", "", ".", "weights/.a.weights.h5",
     "weights/a\0.weights.h5", "weights/a.keras", "weights/a.h5"],
)  # fmt: skip
def test_a_weights_file_is_in_its_package(tiny_net, value):
    helpers.write_record(tiny_net, file=value)
    with pytest.raises(SchemaError, match=r"entry\.toml: \[weights\.first\]: field 'file'"):
        loading.get("tiny_net")


@pytest.mark.parametrize("field", ["recipe"])
@pytest.mark.parametrize("value", ["../recipe.toml", "/etc/passwd", "a/../../recipe.toml", ".."])
def test_the_recipe_of_a_record_is_in_its_package(tiny_net, field, value):
    helpers.write_record(tiny_net, **{field: value})
    with pytest.raises(SchemaError, match=rf"\[weights\.first\]: field '{field}'"):
        loading.get("tiny_net")


def test_a_vocabulary_is_in_its_package(tiny_net):
    path = tiny_net / "entry.toml"
    path.write_text('vocabulary = "../../etc/passwd"\n' + path.read_text())
    with pytest.raises(SchemaError, match="field 'vocabulary'"):
        load_entry(path)


@pytest.mark.parametrize("tag", ["../first", "a/b", "a.b", "A", "", "first\\n", ".", "*"])
def test_a_tag_is_a_plain_word(tiny_net, tag):
    helpers.write_record(tiny_net)
    path = tiny_net / "entry.toml"
    path.write_text(path.read_text().replace("weights.first", f'weights."{tag}"'))
    with pytest.raises(SchemaError, match=r"entry\.toml"):
        loading.get("tiny_net")


@pytest.mark.parametrize("tag", ["../first", "first/..", "/etc/passwd", "*", "first\n", "%2e"])
def test_a_tag_in_a_name_is_looked_up(tiny_net, tag):
    helpers.write_record(tiny_net)
    with pytest.raises(UnknownNameError, match="'tiny_net' has no weights"):
        loading.get(f"tiny_net.{tag}")


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://host/a", "https://", "https://a b/c", "//host/a", "/etc/passwd",
     "https://host/a#sha256=0", "javascript:1", "https://host/a\n"],
)  # fmt: skip
def test_a_record_names_no_local_file(tiny_net, url):
    helpers.write_record(tiny_net, urls=[url])
    with pytest.raises(SchemaError, match=r"\[weights\.first\]: field 'urls"):
        loading.get("tiny_net")


@pytest.mark.parametrize(
    "text",
    [
        "a." * 30_000 + "a = 1",
        "a = " + "[" * 60_000,
        "a = " + "{a=" * 20_000,
        "a = " + "9" * 60_000,
        "[[a]]\n" * 10_000,
        "x" * 10_000_000,
        "labels = [" + "'a'," * 15_000 + "]",
        f"name = {'[' * 90 + ']' * 90}",
    ],
    ids=lambda text: re.sub(r"\s", "_", text[:10]),
)
def test_a_huge_entry_is_refused_in_little_memory(tiny_net, text):
    (tiny_net / "entry.toml").write_text(text)
    code = """
import resource, sys
from pathlib import Path
from keras_fm.registry.entry import load_entry
from keras_fm.errors import SchemaError
initial = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
try:
    load_entry(Path(sys.argv[1]))
except SchemaError as error:
    assert len(str(error)) < 1_000, error
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - initial) // 1024)
"""
    process = helpers.python(code, tiny_net / "entry.toml")
    assert process.returncode == 0, process.stderr
    assert int(process.stdout) < 50
    with pytest.raises(SchemaError, match="tiny_net"):
        loading.get("tiny_net")
