"""Packages import each other in one direction only, imports in functions and for types included."""

import ast
from graphlib import CycleError, TopologicalSorter

import helpers
import pytest

PACKAGE = helpers.ROOT / "keras_fm"

# A package may import what stands in an earlier line, and training alone may import evaluation and
# adapters. What stands in one line does not import each other, but where the next table says so.
LEVELS = (
    ("errors",),
    ("backend", "files", "formatting", "http_session", "options"),
    ("registry",),
    ("store", "serving", "optimizers", "trainers", "preprocessing"),
    ("layers", "data"),
    ("models",),
    ("tasks",),
    ("adapters", "client", "evaluation", "explanation", "exporting", "pipelines"),
    ("training",),
    ("demo",),
    ("cli",),
    ("__main__",),
)


def unit_of(path):
    """Return the package or module directly in keras_fm/ that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports_of(source):
    """Return the packages and modules of keras_fm that a source imports, with the lines."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"relative import in line {node.lineno}"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == "keras_fm" and rest != "__version__":
                yield rest.partition(".")[0], node.lineno


def arrows_that_run_back(files):
    """Return the imports that no level allows; `files` maps paths below keras_fm/ to sources."""
    level_of = {unit: level for level, units in enumerate(LEVELS) for unit in units}
    for path, source in files.items():
        unit = unit_of(path)
        if unit == "__init__":  # The public names come from everywhere.
            continue
        for imported, line in imports_of(source):
            # A public name of keras_fm, such as `get`, has the level of the face: above all.
            if imported != unit and level_of.get(imported, len(LEVELS)) >= level_of[unit]:
                yield f"{path.relative_to(PACKAGE.parent)}:{line} {unit} -> {imported}"


@pytest.fixture(scope="module")
def files():
    return {path: path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


def test_every_package_and_module_has_a_level(files):
    units = {unit_of(path) for path in files} - {"__init__"}
    assert units == {unit for level in LEVELS for unit in level}


def test_imports_run_down_the_levels(files):
    assert list(arrows_that_run_back(files)) == []


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
    for package in sorted(path.parent for path in PACKAGE.glob("*/__init__.py")):
        docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8")))
        assert docstring, package
        assert "\nMay import " in docstring, package
