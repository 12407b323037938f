"""The tour in JupyterLab, as a reader sees it: every notebook opened, run, looked at, used and saved."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
import importlib.util
import json
import os
from pathlib import Path
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from typing import Any
from urllib.request import Request, urlopen

from browser.conftest import ROOT, at_home, missing
from convtour import exercises
import nbformat
import pytest
from store_notebooks import stored_form

NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
WIDE, NARROW, HEIGHT = 1366, 800, 900
SHOT = 12_000  # pixels, the height of a picture of the page: more is drawn as nothing
LIMIT = 900  # seconds for a notebook to run, on a machine with other work
LOOKED_AT_TWICE = {"00_start_here", "02_every_option"}  # in a narrow window and in the dark, too
# What the test's own process tells its children, and what would show this machine's settings.
NOT_HANDED_ON = re.compile("TQDM_DISABLE|PYTEST|COV_|COVERAGE|JUPYTER|XDG_|IPYTHON|CONVTOUR_|MPL")


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab, and the copy of the repository that it serves."""

    root: Path
    url: str
    token: str

    def ask(self, path: str, method: str = "GET") -> Any:
        """Call the server's interface."""
        request = Request(f"{self.url}/api/{path}", headers={"Authorization": f"token {self.token}"}, method=method)
        with urlopen(request, timeout=30) as reply:
            return json.loads(reply.read() or "null")

    def path(self, name: str) -> Path:
        """Where a notebook of the copy lies."""
        return self.root / "notebooks" / f"{name}.ipynb"

    def stop_kernels(self) -> None:
        """End what earlier pages left running."""
        for session in self.ask("sessions"):
            self.ask(f"sessions/{session['id']}", "DELETE")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab as ``make lab`` starts it, on a copy of the repository and with settings of its own."""
    if importlib.util.find_spec("jupyterlab") is None:
        missing("no JupyterLab: make test-browser installs it")
    folder = tmp_path_factory.mktemp("lab")
    root = copied(folder / "convtour")
    environment = {name: value for name, value in os.environ.items() if not NOT_HANDED_ON.match(name)}
    environment |= {f"JUPYTER_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    environment |= {"HOME": str(folder), "USERPROFILE": str(folder)}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex()
    command = [sys.executable, "-m", "jupyter", "lab", "--config=tools/lab/config.py", "--no-browser"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    command += ["--allow-root"] if hasattr(os, "getuid") and os.getuid() == 0 else []
    log = folder / "log"
    with log.open("wb") as written:
        server = subprocess.Popen(command, cwd=root, env=environment, stdout=written, stderr=subprocess.STDOUT)
    running = Lab(root, f"http://127.0.0.1:{port}", token)
    try:
        eventually(lambda: server.poll() is not None or answers(running), 120)
        assert server.poll() is None, log.read_text(encoding="utf-8", errors="replace")[-3000:]
        yield running
        running.stop_kernels()
    finally:
        server.terminate()
        server.wait(60)


def copied(folder: Path) -> Path:
    """A copy of the repository: what Git tracks, and what it would if asked to add all."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def answers(running: Lab) -> bool:
    """Whether the server is there."""
    try:
        return bool(running.ask("status"))
    except OSError:
        return False


def eventually(is_so: Callable[[], Any], seconds: float = 30) -> None:
    """Wait until something is so, and fail if it never is."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"not within {seconds} seconds"
        time.sleep(0.3)


@contextmanager
def opened(browser: Any, lab: Lab, name: str, cleared: bool = False) -> Iterator[Any]:
    """Open a notebook, as stored or without its outputs, and wait for its kernel; fail at the end on a script's error."""
    stored = (ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
    lab.path(name).write_text(without_outputs(stored) if cleared else stored, encoding="utf-8")
    with visited(browser, lab, f"lab/tree/notebooks/{name}.ipynb?reset") as page:
        page.locator(".jp-NotebookPanel:visible .jp-Cell").first.wait_for(timeout=60_000)
        eventually(lambda: idle(lab, page), 120)
        yield page
        assert_calm(page)


@contextmanager
def visited(browser: Any, lab: Lab, path: str) -> Iterator[Any]:
    """Open an address of the server, and fail at the end on a script's error or if another host was asked."""
    home = lab.url.split("/")[2]
    context = browser.new_context(viewport={"width": WIDE, "height": HEIGHT}, reduced_motion="reduce")
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request", lambda request: wrong.append(f"asked for {request.url}") if not at_home(request.url, home) else None
    )
    try:
        page.goto(f"{lab.url}/{path}{'&' if '?' in path else '?'}token={lab.token}")
        yield page
    finally:
        context.close()
        lab.stop_kernels()
    assert wrong == []


def without_outputs(text: str) -> str:
    """A stored notebook before it was run: what is stored would make an unfinished run look done."""
    notebook = nbformat.reads(text, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return stored_form(notebook)


def idle(lab: Lab, page: Any) -> bool:
    """Whether the kernel is idle and JupyterLab knows it: before that a run would be met by a question."""
    kernels = [session["kernel"]["execution_state"] for session in lab.ask("sessions")]
    return kernels == ["idle"] and page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").count() > 0


def choose(page: Any, menu: str, *items: str) -> None:
    """Click through a menu."""
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(f"^{menu}$")).click()
    for item in items:
        page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{item}$")).click()


def run_all(page: Any, lab: Lab, name: str) -> Any:
    """Restart the kernel, run all cells, save; return the saved notebook."""
    choose(page, "Run", "Restart Kernel and Run All Cells…")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    calm = 0  # looks in a row that found nothing running

    def done() -> bool:
        nonlocal calm
        waiting = page.locator(".jp-InputPrompt", has_text="[*]").count()
        calm = calm + 1 if not waiting and idle(lab, page) else 0
        return calm >= 3 and is_complete(saved(page, lab, name))

    eventually(done, LIMIT)
    return nbformat.read(lab.path(name), as_version=4)


def saved(page: Any, lab: Lab, name: str) -> Any:
    """Save by keyboard; return the notebook that the file then holds."""
    before = lab.path(name).stat().st_mtime_ns
    page.keyboard.press("Control+s")
    eventually(lambda: lab.path(name).stat().st_mtime_ns > before)
    eventually(lambda: page.locator(".lm-TabBar-tab.jp-mod-dirty").count() == 0)
    return nbformat.read(lab.path(name), as_version=4)


def is_complete(notebook: Any) -> bool:
    """Whether all code cells of a saved notebook have run, or one has stopped the others."""
    code = code_cells(notebook)
    return all(cell.execution_count for cell in code) or bool(unmeant_errors(notebook))


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def unmeant_errors(notebook: Any) -> list[str]:
    """Errors in cells that are not tagged as meant to fail."""
    return [
        f"{cell.id}: {output.ename}: {output.evalue}"
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", [])
    ]


def kinds(notebook: Any) -> dict[str, list[Any]]:
    """What kinds of outputs each cell has; their numbers are checked by ``make test``."""
    return {
        cell.id: [(output.output_type, output.get("name"), sorted(output.get("data", {}))) for output in cell.outputs]
        for cell in code_cells(notebook)
    }


def assert_saved_as_stored(lab: Lab, name: str) -> None:
    """Outputs are all that running and saving have changed, and even they are of the same kinds."""
    stored_text = (ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8")
    saved_text = lab.path(name).read_text(encoding="utf-8")
    stored, now = (nbformat.reads(text, as_version=4) for text in (stored_text, saved_text))
    assert stored_form(now) == saved_text
    assert kinds(now) == kinds(stored)
    for cell, known in zip(now.cells, stored.cells, strict=True):
        if cell.cell_type == "code":
            cell.outputs = known.outputs
    assert stored_form(now) == stored_text
    log = (lab.root.parent / "log").read_text(encoding="utf-8")
    since_saved = log.split(f"Saving file at /notebooks/{name}.ipynb")[-1]
    assert f"{name}.ipynb is not trusted" not in since_saved


def assert_calm(page: Any) -> None:
    """Nothing asks or tells the reader anything."""
    assert page.locator(".jp-Dialog").all_inner_texts() == []
    assert page.locator(".Toastify__toast").all_inner_texts() == []


def assert_pictures_have_words(page: Any) -> None:
    """Every picture has been loaded and has an alt text, and every explorer has taken the place of its table."""
    images = page.locator(".jp-Notebook img")
    eventually(lambda: images.evaluate_all("found => found.every(image => image.complete)"))
    assert images.evaluate_all("found => found.filter(image => !image.naturalWidth).map(image => image.alt)") == []
    assert images.evaluate_all("found => found.filter(image => !image.alt.trim()).length") == 0
    explorers = page.locator("[class^=convtour-]")
    assert explorers.evaluate_all("found => found.filter(host => !host.shadowRoot).length") == 0


# What hangs over or has to be scrolled. Code may be, and tables in a narrow window: they have bars for it.
TOO_WIDE = """(notebook, isNarrow) => {
  const places = [".jp-MarkdownOutput", ".jp-OutputArea-output"];
  const isShown = (element) => element.getClientRects().length > 0;
  const wrong = [];
  const look = (element, place) => {
    const [box, room] = [element.getBoundingClientRect(), place.getBoundingClientRect()];
    if (element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== "inline"
        || box.width && box.right > room.right + 1)
      wrong.push(`${element.tagName}.${element.className}: ${element.scrollWidth} in ${element.clientWidth}, ends at `
        + `${box.right} of ${room.right}: ${element.textContent.slice(0, 60)}`);
  };
  for (const place of notebook.querySelectorAll(places.join())) {
    if (!isShown(place) || isNarrow && [...place.querySelectorAll("table")].some(isShown)) continue;
    look(place, place);
    for (const each of place.querySelectorAll("img, table, pre, svg, [class^=convtour-], .jp-RenderedHTMLCommon"))
      look(each, place);
    for (const host of place.querySelectorAll("*"))
      for (const each of host.shadowRoot?.querySelectorAll(".all, td, svg, canvas, .panels") ?? []) look(each, place);
  }
  return wrong;
}"""


def assert_fits(page: Any) -> None:
    """Nothing is wider than its place."""
    page.wait_for_timeout(500)  # a window that has just changed its size moves for a moment
    assert page.locator(".jp-Notebook").evaluate(TOO_WIDE, page.viewport_size["width"] < WIDE) == []


def shoot(page: Any, name: str) -> None:
    """Keep a picture of the whole notebook where ``CONVTOUR_SHOTS`` names a folder for it."""
    if folder := os.environ.get("CONVTOUR_SHOTS"):
        size = page.viewport_size
        cells = page.locator(".jp-Notebook .jp-Cell")
        top, last = cells.first.bounding_box(), cells.last.bounding_box()
        high = round(last["y"] + last["height"] - top["y"])
        page.set_viewport_size({**size, "height": min(high, SHOT) + 150})
        for part, above in enumerate(range(0, high, SHOT)):
            page.locator(".jp-WindowedPanel-outer").evaluate("(panel, above) => { panel.scrollTop = above; }", above)
            page.wait_for_timeout(1000)
            page.screenshot(path=Path(folder) / f"{name}_{part}.png")
        page.set_viewport_size(size)


@contextmanager
def in_the_dark(page: Any) -> Iterator[None]:
    """Change to JupyterLab's dark theme, and back."""
    choose(page, "Settings", "Theme", "JupyterLab Dark")
    page.locator("body[data-jp-theme-light=false]").wait_for(state="attached")
    yield
    choose(page, "Settings", "Theme", "JupyterLab Light")
    page.locator("body[data-jp-theme-light=true]").wait_for(state="attached")


# The contrast of text on what is painted behind it, as WCAG counts it.
CONTRAST = """element => {
  const light = (colour) => {
    const pen = new OffscreenCanvas(1, 1).getContext("2d");
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let behind = element;
  while (behind && getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)")
    behind = behind.parentElement ?? behind.getRootNode().host;
  const [text, paper] = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor].map(light);
  return (Math.max(text, paper) + 0.05) / (Math.min(text, paper) + 0.05);
}"""


def assert_legible(page: Any) -> None:
    """Prose, what the code printed and explorers stand out from their ground."""
    for place in (".jp-MarkdownOutput p", ".jp-RenderedText pre", "[class^=convtour-] .all"):
        for text in page.locator(place).all()[:5]:
            assert text.evaluate(CONTRAST) > 4.5, place


def cell_at(page: Any, name: str, identity: str) -> Any:
    """The cell with an id, found by its place."""
    cells = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells
    return page.locator(".jp-Notebook .jp-Cell").nth([cell.id for cell in cells].index(identity))


def draw(page: Any, pad: Any, *corners: tuple[float, float]) -> None:
    """Draw a stroke from corner to corner, each in shares of the pad's sides."""
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()


def use_the_pad(page: Any) -> None:
    """Draw digits with the mouse, choose samples by keyboard, and read the answers."""
    host = cell_at(page, "09_your_own_digit", "draw").locator(".jp-OutputArea-output")
    status, pad, best = host.locator(".status"), host.locator(".pad"), host.locator("tr.best")
    cells = page.locator(".jp-Notebook .jp-Cell").count()

    def says(digit: int) -> None:
        eventually(lambda: status.inner_text().startswith(f"The network says {digit},"))
        assert best.locator("th").inner_text() == str(digit)
        assert best.locator(".bar").bounding_box()["width"] > 10
        shares = [int(share.split()[0]) for share in host.locator("td:last-child").all_inner_texts()]
        assert len(shares) == 10
        assert 97 <= sum(shares) <= 103

    says(3)  # the sample that it begins with
    for digit, stroke in [(1, [(0.5, 0.1), (0.5, 0.9)]), (7, [(0.25, 0.15), (0.75, 0.15), (0.45, 0.9)])]:
        host.get_by_role("button", name="Clear").click()
        eventually(lambda: status.inner_text().startswith("The pad is blank"))
        assert best.count() == 0
        draw(page, pad, *stroke)
        says(digit)
    shoot(page, "09_drawn")
    samples = host.locator("select")
    samples.focus()
    for _ in range(20):
        page.keyboard.press("ArrowDown")
        chosen = samples.evaluate("select => select.selectedOptions[0].text")
        if chosen.startswith("MNIST: "):
            says(int(chosen.removeprefix("MNIST: ")))
        if chosen == "MNIST: 9":
            break
    assert chosen == "MNIST: 9"
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells


# First of all: later, JupyterLab opens again what was open.
def test_the_first_page_opens_by_itself_and_nothing_is_announced(browser: Any, lab: Lab) -> None:
    stored = (ROOT / "notebooks" / "00_start_here.ipynb").read_text(encoding="utf-8")
    lab.path("00_start_here").write_text(stored, encoding="utf-8")
    with visited(browser, lab, "") as page:
        page.locator(".jp-NotebookPanel:visible h1", has_text="00 Start here").wait_for(timeout=60_000)
        assert page.locator("#jp-main-dock-panel .lm-TabBar-tabLabel").all_inner_texts() == ["00_start_here.ipynb"]
        eventually(lambda: idle(lab, page), 120)
        page.wait_for_timeout(3000)  # news would come late
        assert page.locator("#jp-main-dock-panel .jp-mod-dirty").count() == 0, "unsaved as soon as it is opened"
        assert_calm(page)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_reads_well_and_is_saved_as_it_was(browser: Any, lab: Lab, name: str) -> None:
    with opened(browser, lab, name, cleared=True) as page:
        notebook = run_all(page, lab, name)
        assert unmeant_errors(notebook) == []
        assert_calm(page)
        assert_saved_as_stored(lab, name)
        shoot(page, name)
        assert_pictures_have_words(page)
        assert_fits(page)
        if name in LOOKED_AT_TWICE:
            page.set_viewport_size({"width": NARROW, "height": HEIGHT})
            assert_fits(page)
            shoot(page, f"{name}_narrow")
            page.set_viewport_size({"width": WIDE, "height": HEIGHT})
            with in_the_dark(page):
                assert_legible(page)
                shoot(page, f"{name}_dark")
        if name == "09_your_own_digit":
            use_the_pad(page)


def test_the_kernel_explorer_answers_before_anything_is_run(browser: Any, lab: Lab) -> None:
    with opened(browser, lab, "00_start_here") as page:
        cells = page.locator(".jp-Notebook .jp-Cell").count()
        host = page.locator(".convtour-kernel_explorer")
        place, window, total = host.locator("label.place b"), host.locator("[type=range]"), host.locator(".sum")
        host.locator("select").focus()
        before = total.inner_text()
        page.keyboard.press("ArrowDown")
        assert total.inner_text() != before
        window.focus()
        window.fill("0")
        page.keyboard.press("ArrowRight")
        assert place.inner_text() == "row 0, column 1"
        page.keyboard.press("ArrowDown")
        assert place.inner_text() == "row 1, column 1"
        page.keyboard.type("ab")  # Jupyter would add a cell at each
        host.get_by_role("button", name="next").click()
        assert place.inner_text() == "row 1, column 2"
        digit = host.locator(".digit svg")
        width = digit.bounding_box()["width"]
        digit.click(position={"x": 11.5 / 28 * width, "y": 15.5 / 28 * width})
        assert place.inner_text() == "row 14, column 10"
        first = host.locator("[type=number]").first
        first.click()
        first.fill("9")
        assert "9·" in total.inner_text()
        assert page.locator(".jp-Notebook .jp-Cell").count() == cells


@pytest.mark.parametrize("rank", [2, 1])
def test_the_convolution_explorer_answers_before_anything_is_run(browser: Any, lab: Lab, rank: int) -> None:
    with opened(browser, lab, "02_every_option") as page:
        cells = page.locator(".jp-Notebook .jp-Cell").count()
        host = page.locator(".convtour-convolution_explorer").nth(2 - rank)
        code, ours, keras = host.locator("code"), host.locator(".ours"), host.locator(".keras")
        assert f"Conv{rank}D(1, 3, strides=1, dilation_rate=1" in code.inner_text()
        host.locator("[name=strides]").focus()
        page.keyboard.press("ArrowRight")
        assert "strides=2" in code.inner_text()
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowRight")
        assert "dilation_rate=2" in code.inner_text()
        assert "Refused here, too" in keras.inner_text()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowDown")
        assert 'padding="same"' in code.inner_text()
        page.keyboard.type("ab")  # Jupyter would add a cell at each
        numbers = host.locator(".output button")
        numbers.nth(1).click()
        assert ours.inner_text().startswith("output[0, 1]" if rank == 2 else "output[1]")
        page.keyboard.press("ArrowRight")
        assert ours.inner_text().startswith("output[0, 2]" if rank == 2 else "output[2]")
        assert "equal to" in keras.inner_text()
        assert page.locator(".jp-Notebook .jp-Cell").count() == cells


def test_an_exercise_is_answered_wrongly_and_then_rightly(browser: Any, lab: Lab) -> None:
    name, first = "02_every_option", exercises.load("02_every_option")[0]
    wrong, message = first.judge.mistakes[0]
    with opened(browser, lab, name, cleared=True) as page:

        def run(identity: str, line: str = "") -> str:
            """Put a line in the place of a cell's first, run the cell, and return what it says."""
            cell = cell_at(page, name, identity)
            cell.locator(".cm-line").first.click()
            if line:
                page.keyboard.press("Home")
                page.keyboard.press("Shift+End")
                page.keyboard.type(line)
            count = cell.locator(".jp-InputArea-prompt").inner_text()
            page.keyboard.press("Control+Enter")
            eventually(lambda: cell.locator(".jp-InputArea-prompt").inner_text() not in (count, "[*]:"), 120)
            cell.locator(".jp-OutputArea-output").wait_for()
            return str(cell.locator(".jp-OutputArea-output").inner_text())

        assert run("exercise-load").startswith("Exercise 1 of 8")
        assert "0 of 8 done" in run("exercise-1")
        said = run("exercise-1", f"answer = {wrong}")
        assert said.startswith(f"✗ Not yet. {message}")
        said = run("exercise-1", first.answer)
        assert said.startswith("✓ Right.")
        assert "1 of 8 done" in said
        shoot(page, "02_answered")
