"""The drawing pad, without a browser: what it answers to the messages that its script sends."""

import builtins
import html
from pathlib import Path
import re
from typing import Any

from convtour import define_model, draw_digit, load_dataset, prepare_digit
import keras
import nbformat
import numpy as np
import pytest


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(1)
    return define_model()


class Browser:
    """Sends what the script sends, and keeps what the pad sends back."""

    def __init__(self, pad: Any) -> None:
        self.pad = pad
        self.replies: list[tuple[dict[str, Any], Any]] = []
        pad.send = lambda content, buffers=(): self.replies.append((content, buffers))

    def ask(self, drawing: np.ndarray | None = None, **content: Any) -> tuple[dict[str, Any], Any]:
        buffers = [] if drawing is None else [memoryview(drawing.tobytes())]
        self.pad._handle_custom_msg({"id": "1", **content}, buffers)
        reply, pictures = self.replies[-1]
        assert reply["id"] == "1"
        return reply, pictures


def shown(pad: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the pad hands to the notebook: its forms by type, and what is to be known of each."""
    forms, about = pad._repr_mimebundle_()
    return forms, about


def paper(*strokes: tuple[slice, slice]) -> np.ndarray:
    sheet = np.full((280, 280), 255, np.uint8)
    for stroke in strokes:
        sheet[stroke] = 0
    return sheet


SEVEN = paper((slice(50, 70), slice(80, 200)), (slice(50, 240), slice(180, 200)))


def test_the_bars_are_the_models_own_answer_to_the_prepared_drawing(model: keras.Model) -> None:
    reply, (image, maps) = Browser(draw_digit(model)).ask(SEVEN)
    prepared = prepare_digit(SEVEN).image
    expected = model.predict(prepared[np.newaxis], verbose=0)[0]
    assert reply["probabilities"] == pytest.approx(expected, abs=1e-6)
    assert reply["words"].startswith(f"{expected.argmax()}, {100 * expected.max():.0f} %; next ")
    assert np.frombuffer(image, np.uint8) == pytest.approx(255 * prepared.ravel(), abs=0.5)
    assert len(maps) == np.prod(reply["maps"]) == 8 * 26 * 26


def test_the_maps_are_those_of_the_layer_all_to_one_scale(model: keras.Model) -> None:
    pad = draw_digit(model, layer=model.layers[0].name)
    reply, (_, maps) = Browser(pad).ask(SEVEN)
    watched = keras.Model(model.inputs[0], model.layers[0].output)
    all_maps = watched.predict(prepare_digit(SEVEN).image[np.newaxis], verbose=0)[0]
    kept = np.frombuffer(maps, np.uint8).reshape(reply["maps"]) / 255
    for each in kept:
        candidates = np.moveaxis(all_maps, -1, 0)
        assert (
            min(abs(each * candidate.max() / max(each.max(), 1e-9) - candidate).max() for candidate in candidates) < 0.1
        )
    assert kept.max() == 1


def test_a_sample_goes_to_the_network_as_it_is(model: keras.Model) -> None:
    images, labels, _, _ = load_dataset("sample")
    pad = draw_digit(model)
    assert pad.names == [str(digit) for digit in range(10)]
    for digit in (0, 7):
        reply, (image, _) = Browser(pad).ask(sample=digit)
        first = images[labels.argmax(axis=1) == digit][0]
        assert image == first.tobytes() == pad.pixels[784 * digit : 784 * (digit + 1)]
        expected = model.predict(first[np.newaxis] / np.float32(255), verbose=0)[0]
        assert reply["probabilities"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("drawing", "words"),
    [
        (paper(), "The pad is blank. Draw a digit, or choose a sample."),
        (paper((slice(50, 230), slice(40, 60)), (slice(50, 230), slice(200, 220))), "No answer: .*2 separate marks"),
    ],
)
def test_what_cannot_be_read_is_told_in_words(model: keras.Model, drawing: np.ndarray, words: str) -> None:
    browser = Browser(draw_digit(model))
    reply, _ = browser.ask(drawing)
    assert re.match(words, reply["problem"])
    assert "probabilities" not in reply
    assert "probabilities" in browser.ask(SEVEN)[0]


def test_a_failure_within_is_told_too(model: keras.Model) -> None:
    reply, _ = Browser(draw_digit(model)).ask(sample=99)
    assert reply["problem"] == "IndexError: list index out of range"


def test_a_network_without_convolution_shows_no_maps() -> None:
    layers = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    reply, (_, maps) = Browser(draw_digit(keras.Sequential(layers))).ask(SEVEN)
    assert reply["maps"] == (0, 1, 1)
    assert maps == b""


def test_a_picture_with_its_words_stands_where_the_pad_cannot(model: keras.Model) -> None:
    pads = [draw_digit(model, tolerance=3) for _ in range(2)]
    (first, size), (second, _) = (shown(pad) for pad in pads)
    view = first.pop("application/vnd.jupyter.widget-view+json")
    assert view != second.pop("application/vnd.jupyter.widget-view+json")
    assert first == second
    assert set(first) == {"text/plain", "text/html", "image/png"}
    assert size["image/png"]["width"] == 600
    assert repr(pads[0]) == first["text/plain"]
    (alt,) = re.findall('<img [^>]*alt="([^"]*)"', first["text/html"])
    assert html.unescape(alt) == first["text/plain"]
    said = Browser(pads[0]).ask(sample=0)[0]["probabilities"]
    words, numbers = first["text/plain"].removesuffix(" (each ± 3).").split("Probabilities of 0 to 9 in percent: ")
    assert [float(number) for number in numbers.split()] == pytest.approx(100 * np.array(said), abs=0.06)
    assert f"the answer of the network, {np.argmax(said)}." in words


def test_a_stored_notebook_holds_the_picture_alone(model: keras.Model) -> None:
    from store_notebooks import canonical, stored_form

    stored = []
    for _ in range(2):
        data, _ = shown(draw_digit(model))
        cell = nbformat.v4.new_code_cell("draw", id="draw", outputs=[nbformat.v4.new_output("display_data", data)])
        notebook = canonical(nbformat.v4.new_notebook(cells=[cell]))
        assert set(notebook.cells[0].outputs[0].data) == {"text/plain", "text/html", "image/png"}
        stored.append(stored_form(notebook))
    assert stored[0] == stored[1]


def test_without_anywidget_it_says_what_to_install(model: keras.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    from convtour.digits import drawing_pad

    imported = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "anywidget":
            raise ImportError("No module named 'anywidget'")
        return imported(name, *args, **kwargs)

    drawing_pad._pad_class.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'draw_digit needs anywidget .* pip install "convtour\[tour\]"'):
        draw_digit(model)


def test_the_script_asks_nothing_of_the_network() -> None:
    from convtour.digits import drawing_pad

    script = Path(drawing_pad.__file__).with_suffix(".js").read_text()
    assert not re.search(r"https?:|\bimport\b|fetch\(|url\(", script)
