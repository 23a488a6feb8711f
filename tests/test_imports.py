"""Packages import each other in one direction only, imports in functions and for types included."""

import ast
from graphlib import CycleError, TopologicalSorter

import helpers
import pytest

PACKAGE = helpers.ROOT / "keras_fm"

# A package may import what stands in an earlier line, and training alone may import evaluation and
# adapters. What stands in one line does not import each other, but where the next table says so.
LEVELS = (
    ("cpu", "errors"),
    ("familiar_names",),
    ("backend", "files", "formatting", "http_session", "logs", "notebook", "options", "startup"),
    ("file_errors", "interrupts", "lazy_imports", "progress"),
    ("registry",),
    ("calibration",),
    ("distribution", "store", "serving", "optimizers", "trainers"),
    ("preprocessing",),
    ("layers", "data"),
    ("models",),
    ("tasks",),
    ("batch_prediction", "sketches"),
    ("adapters", "client", "evaluation"),
    ("exporting",),
    ("export_pipelines",),
    ("comparison", "drift_detection", "explanation", "pipelines"),
    ("scoring", "training"),
    ("demo", "tuning"),
    ("cli",),
    ("__main__",),
)

# The same for a package that has several inside.
LEVELS_OF = {
    "": LEVELS,
    "preprocessing": (
        ("array_likes", "graph_checks", "lookup_tables"),
        ("images", "tables"),
        ("names", "texts"),
    ),
    "data": (
        ("examples_view",),
        ("examples", "ppmi"),
        ("example_digests",),
        ("batch_loader", "dataset_files"),
        ("batches", "character_texts", "datasets", "example_files"),
        ("augmentation", "text_batches", "user"),
        ("fold_batches",),
        ("splitting",),
    ),
    "data/user": (
        ("raw_examples", "source"),
        ("arrays", "folders", "labels"),
        ("classes", "images"),
        ("tables",),
        ("texts",),
    ),
}


def unit_of(path, room=""):
    """Return the package or module directly in a room of keras_fm/ that a file belongs to."""
    return path.relative_to(PACKAGE / room).with_suffix("").parts[0]


def imports_of(source, room=""):
    """Return the packages and modules in a room that a source imports, with the lines."""
    prefix = ".".join(["keras_fm", *room.split("/")]).rstrip(".") + "."
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"relative import in line {node.lineno}"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            rest = name.removeprefix(prefix)
            if rest not in (name, "__version__"):
                yield rest.partition(".")[0], node.lineno


def arrows_that_run_back(files, room=""):
    """Return the imports that no level allows; `files` maps paths below keras_fm/ to sources."""
    levels = LEVELS_OF[room]
    level_of = {unit: level for level, units in enumerate(levels) for unit in units}
    for path, source in files.items():
        if not path.is_relative_to(PACKAGE / room):
            continue
        unit = unit_of(path, room)
        if unit == "__init__":  # The public names come from everywhere.
            continue
        for imported, line in imports_of(source, room):
            # A public name of keras_fm, such as `get`, has the level of the face: above all.
            if imported != unit and level_of.get(imported, len(levels)) >= level_of[unit]:
                yield f"{path.relative_to(PACKAGE.parent)}:{line} {unit} -> {imported}"


@pytest.fixture(scope="module")
def files():
    return {path: path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


@pytest.mark.parametrize("room", LEVELS_OF)
def test_every_package_and_module_has_a_level(files, room):
    units = {unit_of(path, room) for path in files if path.is_relative_to(PACKAGE / room)}
    assert units - {"__init__"} == {unit for level in LEVELS_OF[room] for unit in level}


@pytest.mark.parametrize("room", LEVELS_OF)
def test_imports_run_down_the_levels(files, room):
    assert list(arrows_that_run_back(files, room)) == []


@pytest.mark.parametrize(
    "source",
    [
        "from keras_fm.training import training",
        "from keras_fm import training",
        "import keras_fm.training.runs",
        "def get():\n    from keras_fm.training import runs",
        "if TYPE_CHECKING:\n    from keras_fm.training.runs import Run",
    ],
)
def test_an_import_that_runs_back_is_found(files, source):
    spec = PACKAGE / "models" / "spec.py"
    (arrow,) = arrows_that_run_back({**files, spec: f"{files[spec]}\n{source}\n"})
    assert arrow.startswith("keras_fm/models/spec.py:")
    assert arrow.endswith("models -> training")


def test_an_import_that_runs_back_in_a_room_is_found(files):
    inputs = PACKAGE / "preprocessing" / "tables" / "inputs.py"
    source = f"{files[inputs]}\nfrom keras_fm.preprocessing.texts.inputs import read_texts\n"
    (arrow,) = arrows_that_run_back({**files, inputs: source}, "preprocessing")
    assert arrow.endswith("tables -> texts")


def test_modules_have_no_circle_when_they_are_imported(files):
    """A circle among modules hides behind the order in which they happen to be imported."""
    modules = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        ): source
        for path, source in files.items()
    }
    graph = {}
    for module, source in modules.items():
        names = [
            (node.module, f"{node.module}.{alias.name}")
            for node in ast.parse(source).body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        ]
        imported = {name if name in modules else parent for parent, name in names}
        graph[module] = (imported & modules.keys()) - {module, "keras_fm"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"circle of imports: {' -> '.join(error.args[1])}")


def test_each_package_says_what_lives_there_and_what_it_may_import():
    files = [file for room in LEVELS_OF for file in (PACKAGE / room).glob("*/__init__.py")]
    for package in sorted(file.parent for file in files):
        docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8")))
        assert docstring, package
        assert "\nMay import " in docstring, package
