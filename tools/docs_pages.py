"""Writes the pages of the documentation that are generated: `docs/conf.py` calls it.

What is written once stays once: the table of the models and the cards come from `zoo/`, the recipe
fields and the API from docstrings, the command line from `--help`, the map from the packages.
"""

import ast
import inspect
import os
import re
from pathlib import Path

import leaderboard
import msgspec

import keras_fm
from keras_fm import registry
from keras_fm.cli import app
from keras_fm.registry.recipe import Recipe, recipe_class_of
from keras_fm.registry.tasks import TASKS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GENERATED = DOCS / "generated"

# What a link in the repository leads to, and its page.
PAGES = {
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "contributing",
    "SECURITY.md": "security",
    "deploy": "deploy",
    "docs/by_hand": "by_hand",
    "docs/by_hand/README.md": "by_hand",
    "keras_fm/registry/recipe.py": "recipe_fields",
    "keras_fm/samples/README.md": "samples",
}

DESIGN = """# Design

A name becomes a `ModelPackage`, the folder of a model in `zoo/`. It and what fine-tuning changed
(labels, inputs) make a `ModelSpec`, which builds the task. Each verb passes it on, so no fact is
looked up twice. Imports run one way, from `cli` to `errors`; a test fails on one that runs back.
[Contributing](contributing.md) has the order.
"""


def write(folder: Path) -> None:
    """Write the pages; those that are up to date stay, so that Sphinx does not build them again."""
    for name, text in pages().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def pages() -> dict[str, str]:
    """Return each generated page's text by its path in `docs/generated/`."""
    names = registry.list_models()
    return {
        "models.md": models(),
        **{f"cards/{name}.md": card(name) for name in names},
        "cards.md": _index("Model cards", "One card for each model.", "cards", names),
        "leaderboard.md": leaderboard.page(),
        "recipe_fields.md": recipe_fields(),
        "command_line.md": command_line(),
        "design.md": design(),
        "api.rst": api(),
        **{
            f"{page}.md": with_links((ROOT / source).read_text("utf-8"), ROOT / source, page)
            for source, page in PAGES.items()
            if source.endswith(".md") and page != "by_hand"
        },
        "by_hand.md": by_hand(),
        "deploy.md": deploy(),
    }


def with_links(text: str, source: Path, page: str | Path) -> str:
    """Return a file's text with its links to other files of the repository as links to pages.

    Args:
        text: Markdown.
        source: The file that the links are relative to.
        page: The page that the text becomes, without its suffix, relative to `docs/generated/`.
    """
    folder = (GENERATED / page).parent

    def rewritten(match: re.Match[str]) -> str:
        target = (source.parent / match[1]).resolve()
        path = _page_of(target, source)
        return f"]({match[1] if path is None else os.path.relpath(path, folder)})"

    # Blocks of code keep their text.
    blocks = re.split(r"(^ *```.*?^ *```$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(
        block if number % 2 else re.sub(r"\]\(([^)#:]+)\)", rewritten, block)
        for number, block in enumerate(blocks)
    )


def _page_of(target: Path, source: Path) -> Path | None:
    """Return the page of a file or folder of the repository; None for what is a page already."""
    place = target.relative_to(ROOT)
    if str(place) in PAGES:
        return GENERATED / f"{PAGES[str(place)]}.md"
    if target.suffix in {".png", ".svg"}:
        return target
    if place.parts[:1] == ("zoo",):
        return GENERATED / "cards" / f"{place.parts[1]}.md"
    if place.parts[:1] == ("docs",) and target.suffix == ".md":
        return target
    if place.parts[:2] == ("docs", "by_hand"):
        return GENERATED / "by_hand.md"
    if source == ROOT / "CONTRIBUTING.md":  # its example names files that are not there
        return None
    raise SystemExit(
        f"{source} has a link to {place}, which no page shows: see tools/docs_pages.py"
    )


def models() -> str:
    """Return the page of all models, with a table that a click on a heading sorts."""
    from write_cards import zoo_table

    entries = [registry.info(name) for name in registry.list_models()]
    table = with_links(zoo_table(entries, more=True), ROOT / "README.md", "models")
    tasks = "".join(
        f"| {task} | {', '.join(_card_link(entry.name) for entry in group)} |\n"
        for task in TASKS
        if (group := [entry for entry in entries if entry.task == task])
    )
    return f"""# Choose a model

A click on a heading sorts the table. Metrics are means over the seeds on the whole test split, and
the best baseline is one of the same metric. The minutes are those of the training of the released
file, without its pretraining. `keras-fm verify MODEL` measures the metrics again.

::::{{div}} sortable full-width
{table}
::::

| Task | Models |
| --- | --- |
{tasks}
"""


def _card_link(name: str) -> str:
    return f"[`{name}`](cards/{name}.md)"


def card(name: str) -> str:
    """Return a model's card, with its recipes below."""
    folder = ROOT / "zoo" / name
    text = with_links(
        (folder / "README.md").read_text("utf-8"), folder / "README.md", f"cards/{name}"
    )
    recipes = "".join(
        f"\n### {path.name}\n\n```toml\n{path.read_text('utf-8').strip()}\n```\n"
        for path in sorted(folder.glob("*.toml"))
        if path.name != "entry.toml"
    )
    return f"{text}\n## Recipes\n{recipes}"


def _index(title: str, text: str, folder: str, names: list[str]) -> str:
    entries = "\n".join(f"{folder}/{name}" for name in names)
    return f"# {title}\n\n{text}\n\n```{{toctree}}\n:maxdepth: 1\n\n{entries}\n```\n"


def recipe_fields() -> str:
    """Return the page of the recipe fields: of all tasks, then what each task adds."""
    common = _fields_of(Recipe, set())
    parts = [_field_table("All tasks", common)]
    for task in TASKS:
        rows = _fields_of(recipe_class_of(task), {name for name, *_ in common})
        if rows:
            parts.append(_field_table(task, rows))
    return (
        "# Recipe fields\n\n"
        "The fields of `recipe.toml`, which `train` and `fine_tune` take by name and the command\n"
        "line as `--set NAME=VALUE`. A field left out has the default, which does nothing.\n\n"
        + "\n".join(parts)
    )


def _fields_of(recipe_class: type[Recipe], known: set[str]) -> list[tuple[str, str, str, str]]:
    """Return name, type, default and meaning of the fields that are not known yet."""
    meanings = _meanings(recipe_class)
    return [
        (field.name, _type_name(field.type), _default(field), meanings[field.name])
        for field in msgspec.structs.fields(recipe_class)
        if field.name not in known
    ]


def _meanings(recipe_class: type[Recipe]) -> dict[str, str]:
    """Return the text of each field in the `Attributes:` of the class and its bases."""
    meanings: dict[str, str] = {}
    for base in reversed(recipe_class.__mro__):
        _, _, attributes = inspect.cleandoc(base.__doc__ or "").partition("Attributes:\n")
        for match in re.finditer(r"^    (\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE):
            meanings[match[1]] = " ".join(match[2].split())
    return meanings


def _type_name(annotation: object) -> str:
    """Return a type as a reader of a recipe writes it, with its bounds."""
    info = msgspec.inspect.type_info(annotation)
    return _name_of_type(info)


def _name_of_type(info: msgspec.inspect.Type) -> str:
    match info:
        case msgspec.inspect.LiteralType(values=values):
            return ", ".join(f'`"{value}"`' for value in values)
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            kind = "integer" if isinstance(info, msgspec.inspect.IntType) else "number"
            bounds = [(info.gt, ">"), (info.ge, "≥"), (info.lt, "<"), (info.le, "≤")]
            limits = ", ".join(f"{sign} {bound:g}" for bound, sign in bounds if bound is not None)
            return f"{kind} {limits}".strip()
        case msgspec.inspect.BoolType():
            return "`true`, `false`"
        case msgspec.inspect.StrType():
            return "string"
        case msgspec.inspect.NoneType():
            return "none"
        case msgspec.inspect.UnionType(types=types):
            return " or ".join(_name_of_type(part) for part in types)
        case (
            msgspec.inspect.ListType(item_type=item) | msgspec.inspect.VarTupleType(item_type=item)
        ):
            return f"list of {_name_of_type(item)}"
        case msgspec.inspect.DictType():
            return "table"
        case _:
            return type(info).__name__.removesuffix("Type").lower()


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "required"
    value = field.default
    if value is msgspec.NODEFAULT:
        value = field.default_factory()
    return f"`{msgspec.json.encode(value).decode()}`"


def _field_table(title: str, rows: list[tuple[str, str, str, str]]) -> str:
    lines = [f"| `{name}` | {kind} | {default} | {text} |" for name, kind, default, text in rows]
    return "\n".join(
        [
            f"## {title}\n",
            "| Field | Type | Default | Meaning |",
            "| --- | --- | --- | --- |",
            *lines,
            "",
        ]
    )


def command_line() -> str:
    """Return the page of the command line: the `--help` of each command."""
    # The width of a terminal decides where argparse breaks lines.
    os.environ["COLUMNS"] = "88"
    parser = app._parser([], "keras-fm")
    [commands] = [
        action for action in parser._actions if hasattr(action, "choices") and action.choices
    ]
    sections = [
        f"## {name}\n\n```text\n{command.format_help().strip()}\n```\n"
        for name, command in commands.choices.items()
    ]
    return "# Command line\n\n`keras-fm COMMAND --help` prints what stands here.\n\n" + "\n".join(
        sections
    )


def design() -> str:
    """Return the map of the code: what each package says of itself."""
    sections = []
    for path in sorted((ROOT / "keras_fm").glob("*/__init__.py")):
        docstring = _docstring(path)
        sections.append(f"`keras_fm.{path.parent.name}`\n: {' '.join(docstring.split())}\n")
    return f"{DESIGN}\n## Packages\n\n" + "\n".join(sections)


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""


def public_names() -> dict[str, list[str]]:
    """Return the names by module: those of `keras_fm` and of its public modules."""
    modules = {"keras_fm": [*keras_fm._PUBLIC]}
    for name in keras_fm._MODULES:
        module = getattr(keras_fm, name)
        modules[f"keras_fm.{name}"] = [*module.__all__]
    return modules


def api() -> str:
    """Return the page of the API: a table of each public module, with a page for each name."""
    sections = []
    for module, names in public_names().items():
        lines = "\n".join(f"   {name}" for name in names)
        sections.append(
            f"{module}\n{'-' * len(module)}\n\n.. currentmodule:: {module}\n\n"
            f".. autosummary::\n   :toctree: api\n   :nosignatures:\n\n{lines}\n"
        )
    return "API\n===\n\n" + "\n".join(sections)


def by_hand() -> str:
    """Return the page of the training loops that are written out, with the programs."""
    folder = DOCS / "by_hand"
    text = with_links((folder / "README.md").read_text("utf-8"), folder / "README.md", "by_hand")
    programs = "".join(
        f"\n## {path.name}\n\n```python\n{path.read_text('utf-8').strip()}\n```\n"
        for path in sorted(folder.glob("*.py"))
    )
    return text + programs


def deploy() -> str:
    """Return the page of the files to start a deployment from."""
    files = "".join(
        f"\n## {path.name}\n\n```{_language(path)}\n{path.read_text('utf-8').strip()}\n```\n"
        for path in sorted((ROOT / "deploy").iterdir())
    )
    text = "They lie in `deploy/`; a test checks each by its schema."
    return f"# Files for a deployment\n\n{text}\n{files}"


def _language(path: Path) -> str:
    return {".yaml": "yaml", ".yml": "yaml"}.get(path.suffix, "text")
