"""Weights files and entries from strangers: refused, in little memory and time. See SECURITY.md."""

import ast
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import helpers
import hostile_files
import keras
import pytest

from keras_fm.errors import InvalidInputError, SchemaError, UnknownNameError, WeightsError
from keras_fm.models import hdf5, loading
from keras_fm.registry.entry import load_entry

# What only the model can tell; the others are refused before it is looked at.
FOR_THE_MODEL = {
    "a_group_for_an_array", "an_array_for_a_group", "wrong_shape", "turned",
    "arrays_in_the_wrong_places", "one_more", "one_less",
}  # fmt: skip
# What these calls have to say.
SAFE = {"load_model": {"safe_mode": "True", "compile": "False"}}
# What h5py alone would read without a word.
BLIND = {"external_link", "soft_link", "array_in_another_file", "array_of_other_files", "packed"}


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
    """All hostile files, by the name of what is wrong with them."""
    folder = tmp_path_factory.mktemp("hostile")
    return {
        builder.__name__: hostile_files.build(builder, good, folder)
        for builder in hostile_files.BUILDERS
    }


def ask_child(how, paths):
    """What a process of little memory answers to each file, and how much more it took."""
    ran = subprocess.run(
        [sys.executable, hostile_files.__file__, how, *map(str, paths)],
        cwd=helpers.ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_a_good_file_loads(tiny_net, good):
    assert loading.get("tiny_net", weights=good) is not None


def test_hostile_files_are_refused(tiny_net, files):
    for name, path in files.items():
        with pytest.raises(WeightsError) as caught:
            loading.get("tiny_net", weights=path)
        sentence = str(caught.value)
        assert "\n" not in sentence, name
        assert len(sentence) < 1_500, name
        fits = "does not fit the model" in sentence
        assert fits == (name in FOR_THE_MODEL), f"{name}: {sentence}"


def test_they_are_refused_in_little_memory(files):
    answered = ask_child("check", files.values())
    assert answered["megabytes"] < 50
    for name, path in files.items():
        answer = answered["answers"][str(path)]
        assert isinstance(answer, int if name in FOR_THE_MODEL else str), f"{name}: {answer}"


def test_without_the_check_they_do_their_harm(files):
    """Or the two tests above would prove nothing."""
    paths = {str(files[name]): [4, 10] for name in BLIND}
    paths[str(files["packed_bomb"])] = "no memory left"
    assert ask_child("read", paths)["answers"] == paths


def test_scrambled_files_are_read_or_refused(good, tmp_path):
    raw = good.read_bytes()
    paths = [tmp_path / f"{seed}.weights.h5" for seed in range(300)]
    for seed, path in enumerate(paths):
        path.write_bytes(hostile_files.scrambled(raw, seed))
    answered = ask_child("check", paths)
    assert answered["megabytes"] < 50
    refused = [answer for answer in answered["answers"].values() if isinstance(answer, str)]
    assert 50 < len(refused) < 300


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


def rewritten(path, change=lambda config: None, weights=None, compression=0, **more):
    """The `.keras` file with another configuration, other weights, or more in it."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config).encode()
    members["model.weights.h5"] = weights or members["model.weights.h5"]
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in {**members, **more}.items():
            archive.writestr(name, content)
    return path


def disguise(config):
    """Makes a model's configuration pass for one of ours."""
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
        loading.get(rewritten(evil, disguise))


@pytest.fixture
def saved(tiny_net, tmp_path):
    """A `.keras` file of one of our models."""
    loading.get("tiny_net", weights=None).save(tmp_path / "ours.keras")
    return tmp_path / "ours.keras"


def test_an_archive_of_ours_opens(saved):
    assert loading.get(saved).name == "tiny_net"


def test_weights_in_an_archive_are_looked_at_too(saved, files):
    path = rewritten(saved, weights=files["external_link"].read_bytes())
    with pytest.raises(WeightsError, match="is a link to another place"):
        loading.get(path)


@pytest.mark.parametrize(
    ("more", "complaint"),
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
def test_an_archive_holds_what_keras_puts_into_it(saved, more, complaint):
    with pytest.raises(WeightsError, match=re.escape(complaint)):
        loading.get(rewritten(saved, **more))


@pytest.mark.parametrize(
    "swap",
    [("keras.layers", "os"), ("keras.layers", "subprocess"), ("keras.layers", "their_zoo.model"),
     ('"Conv2D"', '"TFSMLayer"'), ('"Conv2D"', '"__lambda__"')],
)  # fmt: skip
def test_an_archive_names_layers_alone(saved, swap):
    def change(config):
        text = json.dumps(config)
        assert swap[0] in text
        config.update(json.loads(text.replace(*swap)))

    with pytest.raises(WeightsError, match="which may run code: refused"):
        loading.get(rewritten(saved, change))


def test_nothing_in_the_project_loads_code():
    """No pickle, no array of objects, no archive but in safe mode."""
    forbidden = {"pickle", "dill", "joblib", "marshal", "eval", "exec"}
    forbidden |= {"enable_unsafe_deserialization"}
    sources = [*Path(hdf5.__file__).parents[1].rglob("*.py"), *(helpers.ROOT / "zoo").rglob("*.py")]
    assert len(sources) > 50
    found = []
    for path in sources:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = {getattr(node, field, None) for field in ("id", "attr", "module")}
            names |= {getattr(alias, "name", None) for alias in getattr(node, "names", [])}
            found += [f"{path}:{node.lineno}: {name}" for name in names & forbidden]
            if isinstance(node, ast.Call):
                options = {one.arg: ast.unparse(one.value) for one in node.keywords}
                wanted = SAFE.get(ast.unparse(node.func).rpartition(".")[2], {})
                if wanted.items() - options.items():
                    found.append(f"{path}:{node.lineno}: {ast.unparse(node)}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "value",
    ["../a.weights.h5", "weights/../../a.weights.h5", "/tmp/a.weights.h5", "~/a.weights.h5",
     "..\\a.weights.h5", "C:/a.weights.h5", "weights/a.weights.h5\n", "weights//a.weights.h5",
     "weights/a.weights.h5/..", "file:///a.weights.h5", "", ".", "weights/.a.weights.h5",
     "weights/a\0.weights.h5", "weights/a.keras", "weights/a.h5"],
)  # fmt: skip
def test_a_weights_file_lies_in_its_room(tiny_net, value):
    helpers.write_record(tiny_net, file=value)
    with pytest.raises(SchemaError, match=r"entry\.toml: \[weights\.first\]: field 'file'"):
        loading.get("tiny_net")


@pytest.mark.parametrize("field", ["recipe"])
@pytest.mark.parametrize("value", ["../recipe.toml", "/etc/passwd", "a/../../recipe.toml", ".."])
def test_what_a_record_names_lies_in_its_room(tiny_net, field, value):
    helpers.write_record(tiny_net, **{field: value})
    with pytest.raises(SchemaError, match=rf"\[weights\.first\]: field '{field}'"):
        loading.get("tiny_net")


def test_a_vocabulary_lies_in_its_room(tiny_net):
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
def test_a_record_names_no_file_of_this_machine(tiny_net, url):
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
def test_an_entry_that_is_a_bomb_is_refused_in_little_memory(tiny_net, text):
    (tiny_net / "entry.toml").write_text(text)
    code = """
import resource, sys
from pathlib import Path
from keras_fm.registry.entry import load_entry
from keras_fm.errors import SchemaError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
try:
    load_entry(Path(sys.argv[1]))
except SchemaError as error:
    assert len(str(error)) < 1_000, error
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    ran = helpers.python(code, tiny_net / "entry.toml")
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < 50
    with pytest.raises(SchemaError, match="tiny_net"):
        loading.get("tiny_net")
