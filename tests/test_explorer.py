"""The explorers: their numbers against NumPy, their scripts against Keras, and what a notebook stores of them."""

from html.parser import HTMLParser
from itertools import product
import json
from pathlib import Path
import random
import re
import shutil
import subprocess
import sys
from typing import Any

from convtour import load_dataset
from convtour.layers.explorer import Explorer, Setting, explore_convolution
from convtour.layers.kernel_explorer import KernelExplorer, explore_kernel
import keras
import numpy as np
import pytest

LAYERS = Path(sys.modules["convtour.layers.explorer"].__file__ or "").parent
NEEDS_NODE = pytest.mark.skipif(
    shutil.which("node") is None, reason="node, which runs the script outside a browser, is not here"
)
FETCHES = re.compile(r"https?:|//[a-z]|@import|url\(|fetch\(|XMLHttpRequest|\bimport\b")
PADDINGS = {1: ["valid", "same", "causal"], 2: ["valid", "same"]}


class Page(HTMLParser):
    """The parts of a page: what each tag is, and the text inside."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.texts.append((self.tags[-1] if self.tags else "", data))

    def inside(self, tag: str) -> list[str]:
        return [text for around, text in self.texts if around == tag and text.strip()]


@pytest.fixture(scope="module", params=[1, 2], ids=["line", "grid"])
def explorer(request: pytest.FixtureRequest) -> Explorer:
    return explore_convolution(rank=request.param)


@pytest.fixture(scope="module")
def digit() -> np.ndarray:
    image: np.ndarray = load_dataset("sample")[0][0]
    return image


@pytest.fixture(scope="module")
def kernels(digit: np.ndarray) -> KernelExplorer:
    return explore_kernel(digit)


def html_of(explorer: Explorer | KernelExplorer) -> str:
    return explorer._repr_mimebundle_()["text/html"]


def data_in(explorer: Explorer | KernelExplorer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Page(html_of(explorer)).inside("script")[0])
    return found


def run_script(explorer: Explorer | KernelExplorer, program: str) -> Any:
    """What node makes of a program that may use the explorer's functions and its numbers, ``data``."""
    script = Page(html_of(explorer)).inside("script")[1]
    body = script.removeprefix("(() => {").rstrip().removesuffix("})();")
    assert len(script) - len(body) == len("(() => {})();")
    nowhere = "const document = { querySelectorAll: () => [] };"
    numbers = f"const data = {json.dumps(data_in(explorer))};"
    written = f"{nowhere}\n{body}\n{numbers}\nconsole.log(JSON.stringify({program}));"
    result = subprocess.run(["node", "-"], input=written, capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


def by_definition(inputs: np.ndarray, kernel: np.ndarray, setting: Setting) -> np.ndarray | None:
    """The convolution on a padded array, one window after the other; None where there is none."""
    n, k, s, d, padding = setting
    reach = d * (k - 1)
    if s > 1 and d > 1:
        return None
    size = {"valid": (n - reach - 1) // s + 1, "same": -(-n // s), "causal": (n - 1) // s + 1}[padding]
    if size < 1:
        return None
    whole = max((size - 1) * s + reach + 1 - n, 0)
    before = {"valid": 0, "same": whole // 2, "causal": reach}[padding]
    padded = np.pad(inputs, [(before, reach + s)] * inputs.ndim)
    output = np.zeros((size,) * inputs.ndim, int)
    for cell in product(range(size), repeat=inputs.ndim):
        window = tuple(slice(s * at, s * at + reach + 1, d) for at in cell)
        output[cell] = (padded[window] * kernel).sum()
    return output


def test_every_combination_of_the_options_is_there(explorer: Explorer) -> None:
    combinations = product(range(4, 8), range(1, 4), range(1, 4), range(1, 4), PADDINGS[explorer.rank])
    assert set(explorer.answers) == set(combinations)
    options = data_in(explorer)["options"]
    assert list(options) == list(Setting._fields)
    assert {",".join(map(str, choice)) for choice in product(*options.values())} == set(data_in(explorer)["answers"])


def test_what_is_embedded_is_what_keras_answered(explorer: Explorer) -> None:
    data = data_in(explorer)
    for setting, answer in explorer.answers.items():
        embedded = data["answers"][",".join(map(str, setting))]
        if isinstance(answer, str):
            assert data["refusals"][embedded] == answer
        else:
            assert embedded == np.atleast_2d(answer).tolist()


def test_the_answers_are_the_layers_own(explorer: Explorer) -> None:
    """Asked again, of a layer made in another way."""
    rank, data = explorer.rank, data_in(explorer)
    layer_class = {1: keras.layers.Conv1D, 2: keras.layers.Conv2D}[rank]
    for setting, answer in list(explorer.answers.items())[::7]:
        n, k, s, d, padding = setting
        inputs = np.array(data["input"])[: n if rank == 2 else 1, :n].reshape(1, *(n,) * rank, 1).astype("float32")
        kernel = np.reshape(data["kernels"][str(k)], (*(k,) * rank, 1, 1))
        if isinstance(answer, str):
            kind, message = answer.split(": ", 1)
            with pytest.raises(ValueError, match=re.escape(message)) as caught:
                layer_class(1, k, s, padding, dilation_rate=d)(inputs)
            assert type(caught.value).__name__ == kind
        else:
            layer = layer_class(1, k, s, padding, dilation_rate=d)
            layer.build(inputs.shape)
            layer.set_weights([kernel, np.zeros(1)])
            assert np.array_equal(keras.ops.convert_to_numpy(layer(inputs))[0, ..., 0], answer)


def test_the_answers_equal_the_definition_in_numpy(explorer: Explorer) -> None:
    rank, data = explorer.rank, data_in(explorer)
    for setting, answer in explorer.answers.items():
        n, k = setting[:2]
        inputs, kernel = np.array(data["input"]), np.array(data["kernels"][str(k)])
        expected = by_definition(
            inputs[:n, :n] if rank == 2 else inputs[0, :n], kernel if rank == 2 else kernel[0], setting
        )
        assert (expected is None) == isinstance(answer, str), setting
        if expected is not None:
            assert np.array_equal(expected, answer), setting


def test_same_padding_is_asymmetric_where_tensorflow_makes_it_so() -> None:
    answers = explore_convolution(rank=1).answers
    assert np.array_equal(answers[Setting(6, 3, 2, 1, "same")], [321, 543, 65])
    assert np.array_equal(answers[Setting(7, 3, 2, 1, "same")], [210, 432, 654, 76])
    assert np.array_equal(answers[Setting(4, 3, 1, 1, "causal")], [100, 210, 321, 432])


@NEEDS_NODE
def test_the_script_agrees_with_keras_on_every_setting(explorer: Explorer) -> None:
    program = """Object.entries(data.answers).map(([key, answer]) => {
        const spoilt = Array.isArray(answer)
            ? [[answer[0][0] + 1, ...answer[0].slice(1)], ...answer.slice(1)]
            : [[1]];
        const worked = convolve(data, key.split(",").map((part) => (isNaN(part) ? part : Number(part))));
        return [key, worked, verdict(answer, worked), verdict(spoilt, worked)];
    })"""
    worked = run_script(explorer, program)
    assert len(worked) == len(explorer.answers)
    for (key, found, verdict, spoilt), answer in zip(worked, explorer.answers.values(), strict=True):
        expected = [] if isinstance(answer, str) else np.atleast_2d(answer).tolist()
        assert found["output"] == expected, key
        assert bool(found["refusal"]) == isinstance(answer, str), key
        assert verdict.startswith("✓"), key
        assert spoilt.startswith("✗"), key


def test_the_plain_text_says_what_it_holds(explorer: Explorer) -> None:
    refused = sum(isinstance(answer, str) for answer in explorer.answers.values())
    text = explorer._repr_mimebundle_()["text/plain"]
    assert text == repr(explorer) == explorer.description
    assert text.startswith(f"Convolution explorer for Conv{explorer.rank}D: {len(explorer.answers)} settings (")
    assert text.endswith(f": {len(explorer.answers) - refused} outputs and {refused} refusals.")
    assert " or ".join(PADDINGS[explorer.rank]) in text


def test_ipython_takes_the_picture_and_the_words_from_it(explorer: Explorer) -> None:
    from IPython.core.formatters import DisplayFormatter

    data, _ = DisplayFormatter().format(explorer)
    assert data == {"text/html": html_of(explorer), "text/plain": explorer.description}


@pytest.mark.slow
def test_the_bytes_are_the_same_again_and_in_another_process() -> None:
    again = "".join(html_of(explore_convolution(rank)) for rank in (1, 2))
    assert again == "".join(html_of(explore_convolution(rank)) for rank in (1, 2))
    program = (
        "import sys; from convtour.layers.explorer import explore_convolution;"
        "html = ''.join(explore_convolution(rank)._repr_mimebundle_()['text/html'] for rank in (1, 2));"
        "sys.stdout.buffer.write(html.encode())"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert result.stdout == again.encode()


def test_it_is_one_small_piece_that_fetches_nothing(explorer: Explorer) -> None:
    html = html_of(explorer)
    assert len(html.encode()) < 40_000
    assert not FETCHES.search(html)
    page = Page(html)
    assert set(page.tags) == {"div", "p", "table", "thead", "tbody", "tr", "th", "td", "script"}
    assert {name for name, _ in page.attributes} == {"class", "data-lm-suppress-shortcuts", "type"}
    assert page.tags.count("script") == 2


def test_without_its_script_it_is_a_readable_table(explorer: Explorer) -> None:
    page = Page(html_of(explorer))
    cells, refusals = page.inside("td"), data_in(explorer)["refusals"]
    rows = [cells[start : start + 12] for start in range(0, len(cells), 12)]
    pairs = [re.fullmatch(r"s=(\d) d=(\d)", head) for head in page.inside("th")[3:]]
    assert page.inside("p")[0] == explorer.description
    shown = {}
    for padding, n, k, *sizes in rows:
        for pair, size in zip(pairs, sizes, strict=True):
            assert pair is not None
            shown[Setting(int(n), int(k), int(pair[1]), int(pair[2]), padding)] = size
    assert shown.keys() == explorer.answers.keys()
    for setting, answer in explorer.answers.items():
        if isinstance(answer, str):
            (note,) = (text for text in page.inside("p") if text.startswith(shown[setting]))
            assert note == f"{shown[setting]} Refused: {answer}"
        else:
            assert shown[setting] == "×".join(map(str, answer.shape))
    assert len(refusals) == 2


def test_every_control_has_a_label_and_the_sum_is_announced() -> None:
    script = (LAYERS / "convolution_explorer.js").read_text("utf-8")
    assert len(re.findall(r"<select|<input", script)) == 2  # both made by the function that wraps them in a label
    assert re.search(r"return `<label>\$\{name\.replace\(\"_\", \" \"\)\} <b></b>\$\{field\}</label>`", script)
    assert re.search(r'aria-live="polite" aria-atomic="true"><p class="ours"></p><p class="keras"></p>', script)


def test_asking_keras_leaves_its_counters_and_random_numbers_alone(digit: np.ndarray) -> None:
    def traces() -> tuple[str, float, list[float]]:
        keras.utils.set_random_seed(1)
        keras.backend.clear_session()
        if between:
            explore_convolution(rank=1)
            explore_kernel(digit)
        return (
            keras.layers.Conv1D(1, 1).name,
            random.random(),
            keras.ops.convert_to_numpy(keras.random.normal((2,))).tolist(),
        )

    between = False
    before = traces()
    between = True
    assert traces() == before


@pytest.mark.parametrize("rank", [0, 3, 2.0, True, "2", None])
def test_other_ranks_are_refused(rank: Any) -> None:
    with pytest.raises(ValueError, match=r"expected 1 or 2\.") as caught:
        explore_convolution(rank=rank)
    assert str(caught.value).startswith(f"rank={rank!r}")


def test_the_maps_of_a_digit_equal_the_definition_in_numpy_and_a_layer(
    kernels: KernelExplorer, digit: np.ndarray
) -> None:
    inputs = digit.reshape(28, 28).astype(int)
    assert np.array_equal(kernels.image, inputs)
    layer = keras.layers.Conv2D(1, 3, use_bias=False)
    layer.build((1, 28, 28, 1))
    for (name, kernel), (also, seen) in zip(data_in(kernels)["kernels"].items(), kernels.maps.items(), strict=True):
        assert name == also
        taps = [weight * inputs[i : i + 26, j : j + 26] for (i, j), weight in np.ndenumerate(kernel)]
        assert np.array_equal(seen, np.sum(taps, axis=0)), name
        layer.set_weights([np.reshape(kernel, (3, 3, 1, 1))])
        answer = keras.ops.convert_to_numpy(layer(digit[np.newaxis].astype("float32")))
        assert np.allclose(seen, answer.reshape(26, 26), atol=1e-3), name


def test_the_maps_of_a_digit_are_embedded_whole(kernels: KernelExplorer) -> None:
    data = data_in(kernels)
    assert data["image"] == kernels.image.tolist()
    assert data["maps"] == {name: seen.tolist() for name, seen in kernels.maps.items()}


@NEEDS_NODE
def test_the_script_agrees_with_keras_on_every_kernel(kernels: KernelExplorer) -> None:
    program = """Object.entries(data.kernels).map(([name, kernel]) => {
        const worked = convolve({ rank: 2, input: data.image, kernels: { 3: kernel } }, [28, 3, 1, 1, "valid"]);
        const map = data.maps[name];
        const spoilt = [...map.slice(0, -1), [...map.at(-1).slice(0, -1), map.at(-1).at(-1) - 0.125]];
        return [name, worked.output, largestDifference(map, worked.output), largestDifference(spoilt, worked.output)];
    })"""
    worked = run_script(kernels, program)
    assert [name for name, *_ in worked] == list(kernels.maps)
    for name, output, difference, spoilt in worked:
        assert np.array_equal(output, kernels.maps[name]), name
        assert (difference, spoilt) == (0, 0.125), name


@NEEDS_NODE
def test_a_sum_is_written_with_its_signs_and_without_traces_of_binary_fractions(kernels: KernelExplorer) -> None:
    program = """[
        equation([[-1, 4], [0, 9], [-0.5, 2], [0.1, 3]].map(([weight, value]) => ({ weight, value }))),
        convolve({ rank: 1, input: [[1, 2, 3]], kernels: { 3: [[0.1, 0.1, 0.1]] } }, [3, 3, 1, 1, "valid"]).output,
        said(-0.12345),
    ]"""
    written, output, number = run_script(kernels, program)
    assert re.sub("<.*?>", "", written) == "−1·4 + 0·9 − 0.5·2 + 0.1·3"
    assert output == [[0.6]]
    assert number == "−0.123"


def test_the_plain_text_of_a_digit_names_every_kernel_and_its_map(kernels: KernelExplorer) -> None:
    from IPython.core.formatters import DisplayFormatter

    data, _ = DisplayFormatter().format(kernels)
    assert data == {"text/html": html_of(kernels), "text/plain": kernels.description}
    assert repr(kernels) == kernels.description
    for name, seen in kernels.maps.items():
        assert f"{name} from {seen.min():g} to {seen.max():g}" in kernels.description


def test_a_digit_is_one_small_piece_the_same_every_time_that_fetches_nothing(
    kernels: KernelExplorer, digit: np.ndarray
) -> None:
    html = html_of(kernels)
    assert html == html_of(explore_kernel(digit))
    assert len(html.encode()) < 60_000
    assert not FETCHES.search(html)
    page = Page(html)
    assert page.tags == ["div", "p", "p", "pre", "script", "script"]
    assert {name for name, _ in page.attributes} == {"class", "data-lm-suppress-shortcuts", "type"}


def test_without_its_script_the_digit_is_drawn_in_characters(kernels: KernelExplorer) -> None:
    page = Page(html_of(kernels))
    assert page.inside("p")[0] == kernels.description
    (drawn,) = page.inside("pre")
    rows = drawn.split("\n")
    assert [len(row) for row in rows] == [56] * 28
    inked = np.array([[mark != " " for mark in row[::2]] for row in rows])
    assert np.array_equal(inked, kernels.image >= 52)


def test_every_control_of_a_digit_has_a_name_and_the_sum_is_announced() -> None:
    script = (LAYERS / "kernel_explorer.js").read_text("utf-8")
    controls = re.findall(r"(<label[^>]*>[^<]*(?:<b></b>)?)?<(select|input)([^>]*)", script)
    assert [kind for _, kind, _ in controls] == ["input", "select", "input"]
    assert all(label or "aria-label=" in attributes for label, _, attributes in controls)
    assert '<p class="sum" aria-live="polite" aria-atomic="true"></p>' in script
    assert "prefers-reduced-motion" in script


def test_a_digit_may_come_in_grey_values_or_between_0_and_1(digit: np.ndarray, kernels: KernelExplorer) -> None:
    for image in (digit[..., 0], digit / 255, (digit / np.float32(255)).astype("float32"), digit.astype("int64")):
        assert html_of(explore_kernel(image)) == html_of(kernels)
    blank = explore_kernel(np.zeros((28, 28)))
    assert not any(seen.any() for seen in blank.maps.values())


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((2, 28, 28), "uint8"), r"image has shape \(2, 28, 28\); expected one digit, \(28, 28\) or"),
        (np.zeros((27, 28)), r"image has shape \(27, 28\)"),
        (
            np.full((28, 28), 255.0),
            r"image runs from 255\.0 to 255\.0; expected whole numbers 0 to 255 or floats 0 to 1",
        ),
        (np.full((28, 28), -1), r"image runs from -1 to -1"),
        (np.full((28, 28), np.nan), r"image holds NaN"),
    ],
)
def test_what_is_no_digit_is_refused(image: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        explore_kernel(image)
