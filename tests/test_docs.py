"""The documentation's pages that are generated: nothing public is left out, no link leads nowhere.

`make docs` builds the pages and executes the guides; what is here needs no Sphinx.
"""

import inspect
import re
from pathlib import Path

import helpers
import pytest

from keras_fm import registry
from keras_fm.cli import app
from keras_fm.registry.recipe import recipe_class_of
from keras_fm.registry.tasks import TASKS

DOCS = helpers.ROOT / "docs"
WRITTEN = [*DOCS.glob("*.md"), *DOCS.glob("guides/*.md")]


@pytest.fixture
def pages(tools):
    return tools("docs_pages").pages()


def test_every_public_name_has_a_docstring_and_a_place_in_the_api(tools, pages):
    names = [
        (module, name)
        for module, public in tools("docs_pages").public_names().items()
        for name in public
    ]
    assert len(names) >= 27
    for module, name in names:
        value = getattr(__import__(module, fromlist=[name]), name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{module}.{name} has no docstring"
        assert re.search(rf"^   {name}$", pages["api.rst"], re.MULTILINE)


def test_every_recipe_field_has_a_type_a_default_and_a_meaning(pages):
    table = pages["recipe_fields.md"]
    for task in TASKS:
        for field in recipe_class_of(task).__struct_fields__:
            [row, *_] = re.findall(rf"^\| `{field}` \|.*$", table, re.MULTILINE)
            cells = [cell.strip() for cell in row.strip("|").split(" | ")]
            assert len(cells) >= 4, row
            assert all(cells), row
    assert "| `learning_rate` | number > 0, ≤ 1e+06 | required |" in table
    assert "| `nesterov` | `true`, `false` | `false` |" in table


def test_every_command_has_its_help(pages):
    for command in app.COMMANDS:
        assert f"\n## {command}\n\n```text\nusage: keras-fm {command} " in pages["command_line.md"]


def test_every_model_has_a_card_and_a_row(pages):
    for name in registry.list_models():
        assert f"[`{name}`](cards/{name}.md)" in pages["models.md"]
        assert f"cards/{name}\n" in pages["cards.md"]
        assert "## Recipes" in pages[f"cards/{name}.md"]


def test_every_package_is_on_the_page_of_the_design(pages):
    for path in (helpers.ROOT / "keras_fm").glob("*/__init__.py"):
        assert f"`keras_fm.{path.parent.name}`\n: " in pages["design.md"]


def test_no_link_of_a_page_leads_nowhere(tools, pages):
    generated = tools("docs_pages").GENERATED
    known = {generated / name for name in pages} | set(WRITTEN)
    texts = {generated / name: text for name, text in pages.items() if name.endswith(".md")}
    for path in WRITTEN:
        texts[path] = tools("docs_pages").with_links(
            path.read_text("utf-8"), path, path.with_suffix("")
        )
    num_links = 0
    for path, text in texts.items():
        prose = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)
        for link in re.findall(r"\]\(([^)#:]+)\)", prose):
            target = Path(re.sub(r"/[^/]+/\.\./", "/", str(path.parent / link))).resolve()
            assert target in known or target.is_file() or link == "recipe.toml", (path, link)
            num_links += 1
    assert num_links > 60


def test_a_link_to_a_file_without_a_page_is_an_error(tools):
    with pytest.raises(SystemExit, match=r"has a link to setup\.cfg, which no page shows"):
        tools("docs_pages").with_links("[a](setup.cfg)", helpers.ROOT / "README.md", "models")


def test_code_keeps_its_links(tools):
    text = "```python\nx = a[0](setup.cfg)\n```\n"
    assert tools("docs_pages").with_links(text, helpers.ROOT / "README.md", "models") == text


def test_every_written_page_is_in_a_table_of_contents():
    index = (DOCS / "index.md").read_text("utf-8")
    for path in WRITTEN:
        if path.name != "index.md":
            assert f"\n{path.relative_to(DOCS).with_suffix('')}\n" in index, path


def test_every_tag_of_an_entry_is_on_the_leaderboard_with_its_figures(tools, pages):
    page, leaderboard = pages["leaderboard.md"], tools("leaderboard")
    for name in registry.list_models():
        released = registry.info(name).weights
        records = {record.tag: record for record in leaderboard.read(name).records}  # the newest
        assert records.keys() >= released.keys(), name
        for tag, weights in released.items():
            record = records[tag]
            values = [weights.metrics[record.metric]]
            if weights.seeds is not None:
                values = weights.seeds.metrics[record.metric]
            assert record.values == pytest.approx(values), f"{name}.{tag}"
            assert f"| `{tag}` | {record.date} | `{record.commit}` |" in page


def test_an_attempt_of_the_leaderboard_is_named(pages):
    assert "Tried in vain:" in pages["leaderboard.md"]
    assert "- 2026-11-23, `f4f3a51`: pretraining as a language model" in pages["leaderboard.md"]
