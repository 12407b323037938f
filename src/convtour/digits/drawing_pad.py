"""A pad to draw digits on in a notebook, which a network reads while they are drawn.

The browser (``drawing_pad.js``) sends the drawing and shows the answer; all that is worked out is worked out here, by
`prepare_digit` and the network. Where no kernel runs, a picture stands in the pad's place.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convtour._checks import brief, finite_numbers
from convtour.digits.mnist import load_dataset
from convtour.digits.own_digit import prepare_digit
from convtour.picture import BLUE, GREY, Picture, styled
from convtour.plots import spoken
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import anywidget
    import keras

_SIDE, _CLASSES = 28, 10
_MAPS = 8  # of the first convolution layer; more do not fit beside the digit
_PAPER = 280  # the side of the browser's canvas, ten pixels for each of the digit's

_Float = npt.NDArray[np.float32]
_Network = Callable[[_Float], tuple[_Float, _Float]]


def draw_digit(
    model: "keras.Model",
    samples: Mapping[str, npt.ArrayLike] | None = None,
    *,
    layer: str | None = None,
    tolerance: float | None = None,
) -> "anywidget.AnyWidget":
    """Make a pad to draw a digit on, by mouse, pen or finger, with the network's ten probabilities while you draw.

    Each drawing goes through `prepare_digit`; beside the probabilities stand the 28x28 pixels that it became and what
    a convolution layer makes of them. Instead of drawing, a sample can be chosen, by keyboard as well. The pad needs a
    running kernel, no network. A stored notebook shows a picture in its place: the first sample with its answer.

    Taught in notebook ``09_your_own_digit``.

    Parameters
    ----------
    model : keras.Model
        Takes images ``(n, 28, 28, 1)``, 0 for paper to 1 for ink, and returns ten probabilities each.
    samples : mapping of str to array-like of shape (28, 28) or (28, 28, 1), optional
        Images to choose from, by name: uint8 0..255 or float 0..1, ink high, in MNIST's form, so that they go to the
        network as they are. Left out: one training image of each digit from ``load_dataset("sample")``.
    layer : str, optional
        Name of the layer whose feature maps are shown, the eight that differ most among the samples. Left out: the
        first ``Conv2D``; a model without one shows no maps.
    tolerance : float, optional
        What the percentages in the picture's description are held to: another processor may move them so far.

    Returns
    -------
    anywidget.AnyWidget
        Displays itself in a notebook. Its ``repr`` is the description of the picture that stands in for it.

    Raises
    ------
    ImportError
        If anywidget is not installed: ``pip install "convtour[tour]"``.
    ValueError
        If the model takes or returns other shapes or does not return probabilities, there is no such layer, or a
        sample has another shape or range.
    TypeError
        If ``model`` is no Keras model, ``samples`` no mapping, or ``layer`` no string.

    Examples
    --------
    >>> from convtour import define_model
    >>> model = define_model()
    >>> model.set_weights([0 * weight for weight in model.get_weights()])
    >>> for sentence in str(draw_digit(model, {"a stroke": np.eye(28)})).split(". "):
    ...     print(sentence)
    Drawing pad; run the cell to draw
    Until then, a sample, a stroke, and the answer of the network, 0
    Probabilities of 0 to 9 in percent: 10 10 10 10 10 10 10 10 10 10.
    """
    try:
        pad = _pad_class()
    except ImportError as error:
        raise ImportError(
            f'draw_digit needs anywidget ({error}); install it: pip install "convtour[tour]", or pip install anywidget.'
        ) from None
    named = _check_samples(samples)
    network = _watched(model, layer, np.stack(list(named.values())))
    name, image = next(iter(named.items()))
    made: anywidget.AnyWidget = pad(named, network, _still(name, image, network(image)[0], tolerance))
    return made


@cache
def _pad_class() -> type[Any]:
    """The widget; made when first asked for, as anywidget is needed for nothing else."""
    import anywidget
    import traitlets

    class DrawingPad(anywidget.AnyWidget):
        """What the browser and the kernel share: names and pixels of the samples; all else goes by message."""

        _esm = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
        names = traitlets.List(traitlets.Unicode()).tag(sync=True)
        pixels = traitlets.Bytes().tag(sync=True)

        def __init__(self, samples: Mapping[str, _Float], network: _Network, still: Picture) -> None:
            super().__init__(names=list(samples), pixels=b"".join(_grey(image) for image in samples.values()))
            self._samples, self._network, self._still = list(samples.values()), network, still
            self.on_msg(self._receive)

        def __repr__(self) -> str:
            return self._still.description

        def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
            """The pad for who can show it, and for all others the picture."""
            view, about = super()._repr_mimebundle_(**kwargs) or ({}, {})
            still, size = self._still._repr_mimebundle_()
            return view | still, about | size

        def _receive(self, _: object, content: Any, buffers: list[Any]) -> None:
            """Answer a message of the browser: which sample, or the drawing, a grey value for each pixel."""
            reply: dict[str, Any] = {"id": content.get("id")}
            try:
                if "sample" in content:
                    image = self._samples[content["sample"]]
                else:
                    image = _prepared(np.frombuffer(buffers[0], np.uint8).reshape(_PAPER, _PAPER))
                probabilities, maps = self._network(image)
            except Exception as error:  # else the browser would wait, and nobody know why
                problem = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
                self.send(reply | {"problem": problem})
                return
            reply |= {"probabilities": probabilities.tolist(), "words": _words(probabilities), "maps": maps.shape}
            strongest = max(maps.max(initial=0), 1e-6)
            self.send(reply, [_grey(image), _grey(np.clip(maps / strongest, 0, 1))])

    return DrawingPad


def _prepared(paper: npt.NDArray[np.uint8]) -> _Float:
    """Bring a drawing, dark on light, to MNIST's form, or say in words of the pad why not."""
    if paper.min() == paper.max():
        raise ValueError("The pad is blank. Draw a digit, or choose a sample.")
    try:
        return prepare_digit(paper).image
    except ValueError as error:
        raise ValueError(f"No answer: {error}") from None


def _watched(model: "keras.Model", layer: str | None, images: _Float) -> _Network:
    """Return a function from one image to its probabilities and to maps, shape (n, rows, columns)."""
    import keras

    if not isinstance(model, keras.Model):
        raise TypeError(f"model={brief(repr(model))}: expected a Keras model, got {type(model).__name__}.")
    shapes = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    if shapes != ((None, _SIDE, _SIDE, 1), (None, _CLASSES)):
        raise ValueError(
            f"model has input and output shapes {brief(shapes)}; expected (None, 28, 28, 1) and (None, 10), of a "
            "model that is built."
        )
    shown = _layer_to_show(model, layer)
    outputs = [model.outputs[0], *([shown.output] if shown else [])]
    both = keras.Model(model.inputs[0], outputs, name="watched")

    def ask(pictures: _Float) -> list[_Float]:
        answers = both.predict_on_batch(pictures)  # one output comes without its list
        return [keras.ops.convert_to_numpy(part) for part in (answers if shown else [answers])]

    first, *maps = ask(images)
    if not (first.min() >= 0 and np.allclose(first.sum(axis=1), 1, atol=1e-3)):  # false for NaN too
        raise ValueError(
            f"model returns numbers from {first.min():.3g} to {first.max():.3g}; expected ten probabilities that add "
            'up to one: end it with activation="softmax".'
        )
    spread = maps[0].std(axis=(0, 1, 2)) if maps else np.zeros(0)
    liveliest = np.sort(np.argsort(-spread, kind="stable")[:_MAPS])

    def network(image: _Float) -> tuple[_Float, _Float]:
        probabilities, *maps = ask(image[np.newaxis])
        seen = np.moveaxis(maps[0][0], -1, 0)[liveliest] if maps else np.zeros((0, 1, 1), np.float32)
        return probabilities[0], seen

    return network


def _layer_to_show(model: "keras.Model", layer: str | None) -> Any:
    """The layer of that name, or the first convolution, or None; its output must be maps."""
    import keras

    if layer is None:
        return next((each for each in model.layers if isinstance(each, keras.layers.Conv2D)), None)
    if not isinstance(layer, str):
        raise TypeError(f"layer={brief(repr(layer))}: expected a layer's name, got {type(layer).__name__}.")
    maps = {each.name: each for each in model.layers if len(getattr(each.output, "shape", ())) == 4}
    if layer not in maps:
        raise ValueError(f"layer={layer!r}: expected a layer that makes maps: {brief(', '.join(maps))}.")
    return maps[layer]


def _check_samples(samples: Mapping[str, npt.ArrayLike] | None) -> dict[str, _Float]:
    """Return the samples as float32 of shape (28, 28, 1) in 0..1, or say which one is wrong."""
    if samples is None:
        images, labels, _, _ = load_dataset("sample")
        digits = labels.argmax(axis=1)
        samples = {str(digit): images[np.flatnonzero(digits == digit)[0]] for digit in range(_CLASSES)}
    if not isinstance(samples, Mapping):
        raise TypeError(f"samples={brief(repr(samples))}: expected a mapping of names to images.")
    if not samples:
        raise ValueError("samples is empty; expected at least one image, or leave it out.")
    checked = {}
    for name, given in samples.items():
        image = finite_numbers(f"samples[{name!r}]", given)
        white = 1 if image.dtype.kind == "f" else 255
        if image.shape not in ((_SIDE, _SIDE), (_SIDE, _SIDE, 1)) or image.min() < 0 or image.max() > white:
            raise ValueError(
                f"samples[{name!r}] has shape {brief(image.shape)} and {image.dtype} from {image.min(initial=0):g} to "
                f"{image.max(initial=0):g}; expected (28, 28) or (28, 28, 1), whole numbers 0 to 255 or floats 0 to 1."
            )
        checked[str(name)] = (image.reshape(_SIDE, _SIDE, 1) / white).astype(np.float32)
    return checked


def _still(name: str, image: _Float, probabilities: _Float, tolerance: float | None) -> Picture:
    """Draw what stands in for the pad where no kernel runs: a sample and its answer."""
    say, held = spoken("tolerance", tolerance, 0)
    with styled(figsize=(6.0, 2.6)) as picture:
        digit, bars = picture.subplots(1, 2, width_ratios=(1, 1.6))
        digit.imshow(image[..., 0], vmin=0, vmax=1)
        digit.set(xticks=[], yticks=[])
        digit.spines[:].set(visible=True, color=GREY)
        digit.grid(visible=False)
        digit.set_title(f"Sample: {brief(name)}", weight="normal")
        drawn = bars.barh(range(_CLASSES), 100 * probabilities, color=BLUE)
        bars.set(yticks=range(_CLASSES), xlim=(0, 100), xlabel="probability (%)")
        bars.invert_yaxis()
        bars.grid(visible=False, axis="y")
        bars.set_title("Run this cell to draw here", weight="normal")
    percents = [bar.get_width() for bar in drawn]
    numbers = " ".join(map(say, percents))
    first = int(np.argmax(percents))
    picture.description = (
        f"Drawing pad; run the cell to draw. Until then, a sample, {brief(name)}, and the answer of the network, "
        f"{first}. Probabilities of 0 to 9 in percent: {numbers}{held}."
    )
    return picture


def _words(probabilities: _Float) -> str:
    """The answer as it is read out."""
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    return f"{first}, {100 * probabilities[first]:.0f} %; next {second}, {100 * probabilities[second]:.0f} %"


def _grey(image: _Float) -> bytes:
    """Values 0..1 as grey values, a byte each."""
    return np.rint(255 * image).astype(np.uint8).tobytes()
