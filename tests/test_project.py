"""What surrounds the package: workflows, forms, hooks, pages for contributors, and the export of a page."""

from pathlib import Path
import re
import shlex
from typing import Any

import nbformat
import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TEXTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "data" / "README.md"]

# An sdist leaves the hosting site's own folder out.
in_repository = pytest.mark.skipif(not (ROOT / ".github").exists(), reason="no .github here")


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def missing_targets(names: set[str]) -> set[str]:
    """Which of some names the Makefile does not make."""
    return names - set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@in_repository
def test_there_are_workflows_for_tests_the_week_the_site_and_the_wheel() -> None:
    assert [path.stem for path in WORKFLOWS] == ["site", "test", "weekly", "wheel"]
    assert {path.stem for path in FORMS} == {"wrong", "does_not_run", "idea"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_little_ends_in_time_and_gives_way_to_the_next(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"].startswith(path.stem)
    for name, job in workflow["jobs"].items():
        assert 0 < job["timeout-minutes"] <= 240, name
        allowed = {"pages": "write", "id-token": "write"} if (path.stem, name) == ("site", "publish") else {}
        assert job.get("permissions", {}) == allowed, name
        commands = [step.get("run", "") for step in job["steps"]]
        for step in job["steps"]:
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/none@v1"))
            assert step.get("with", {}).get("persist-credentials") is False or "checkout" not in step.get("uses", "")
        made = set(re.findall(r"make ([\w-]+)$", "\n".join(commands), re.MULTILINE))
        made |= set(job.get("strategy", {}).get("matrix", {}).get("target", []))
        assert missing_targets(made) == set(), name


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_a_page_names_only_targets_that_are_there(name: str) -> None:
    page = (ROOT / name).read_text(encoding="utf-8")
    assert missing_targets(set(re.findall(r"(?:^|`)make ([a-z-]+)", page, re.MULTILINE))) == set()


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_says_what_it_is_for_and_asks_for_something(path: Path) -> None:
    form = read(path)
    assert {"name", "description", "body"} <= set(form)
    fields = form["body"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_hooks_are_of_this_repository_and_what_they_call_is_there() -> None:
    (repository,) = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        program, *rest = shlex.split(hook["entry"])
        assert program in (".venv/bin/ruff", ".venv/bin/python")
        assert all((ROOT / part).is_file() for part in rest if part.startswith("tools/"))


def test_the_citation_has_what_its_format_wants() -> None:
    citation = read(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors", "version", "license"} <= set(citation)


def test_the_exercise_shown_to_contributors_works_as_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    scope: dict[str, Any] = {}
    exec(code, scope)
    printed = capsys.readouterr().out.splitlines()[0]
    assert f"It prints `{printed}`" in page
    solved: dict[str, Any] = {}
    exec(scope["exercise"].answer, solved)
    assert scope["exercise"].check(solved["answer"]).passed
    for wrong, message in scope["exercise"].judge.mistakes:
        assert message in scope["exercise"].check(wrong).text


def test_the_table_of_places_names_every_part_of_the_package() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for path in (ROOT / "src" / "convtour").iterdir():
        if path.is_dir() and (path / "__init__.py").exists():
            assert f"| `{path.name}/` |" in page
        elif path.suffix == ".py" and path.stem != "__init__":
            assert re.search(rf"^\| .*`{path.stem}`", page, re.MULTILINE), path.stem


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_readme_first_page_and_site_list_every_page(path: Path) -> None:
    assert f"(notebooks/{path.name})" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"\nnotebooks/{path.stem}\n" in (ROOT / "site" / "index.md").read_text(encoding="utf-8")
    first = nbformat.read(NOTEBOOKS[0], as_version=4)
    assert path == NOTEBOOKS[0] or any(f"]({path.name}) |" in cell.source for cell in first.cells)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_within_the_repository_lead_somewhere(path: Path) -> None:
    text = re.sub(r"`[^`]*`", "", path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        assert "://" in target or (path.parent / target).exists(), target


def test_an_exported_page_asks_nothing_from_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbconvert = pytest.importorskip("nbconvert")
    from traitlets.config.loader import PyFileConfigLoader

    # MathJax comes with the site; a stand-in shows that it goes into the page.
    (tmp_path / "sphinx_mathjax_offline-0.dist-info").mkdir()
    (tmp_path / "sphinx_mathjax_offline-0.dist-info" / "METADATA").write_text("Name: sphinx-mathjax-offline\n")
    script = tmp_path / "sphinx-mathjax-offline" / "static" / "mathjax" / "tex-svg.js"
    script.parent.mkdir(parents=True)
    script.write_text("drawsFormulas()")
    monkeypatch.syspath_prepend(tmp_path)
    config = PyFileConfigLoader("config.py", path=str(ROOT / "tools" / "export")).load_config()
    formula = nbformat.v4.new_markdown_cell("$n - k + 1$, [04](04_conv2d.ipynb)")
    moving = nbformat.v4.new_code_cell("explore()")
    moving.outputs = [nbformat.v4.new_output("display_data", data={"text/html": "<script>moves()</script>"})]
    exporter = nbconvert.HTMLExporter(config=config)
    page, _ = exporter.from_notebook_node(nbformat.v4.new_notebook(cells=[formula, moving]))
    assert "$n - k + 1$" in page
    assert "drawsFormulas()" in page
    assert "moves()" in page
    assert 'href="04_conv2d.html"' in page
    assert not re.findall(r'(?:src|import)\s*[=(]\s*["\']?(?:https?:)?//', page)
    assert not re.findall(r'<link[^>]*href|url\(["\']?(?:https?:)?//|import\(', page)
    plain, _ = exporter.from_notebook_node(nbformat.v4.new_notebook(cells=[moving]))
    assert "drawsFormulas()" not in plain
