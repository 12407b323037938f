"""A model layer by layer: its shapes, its parameters, its work, what it sees."""

from dataclasses import dataclass
from itertools import pairwise
import math
from typing import TYPE_CHECKING, Any, Literal, cast

from convtour._checks import brief
from convtour.layers.arguments import Shape, Window, is_channels_first
from convtour.layers.arithmetic import receptive_field

if TYPE_CHECKING:
    import keras

_Field = tuple[int, ...] | Literal["all"] | None


@dataclass(frozen=True)
class LayerRow:
    """A row of the table that `model_table` makes.

    Attributes
    ----------
    layer : str
        Type of the layer.
    output_shape : tuple of int or None
        Shape of its output, as Keras gives it.
    parameters : int
        Number of its parameters, those that are not trained included.
    multiply_adds : int or None
        Multiply-adds with its weights, for one example; None where they are not known.
    receptive_field : tuple of int, "all" or None
        Input positions, along each spatial axis, that one value of the output depends on; None where not known.
    """

    layer: str
    output_shape: Shape
    parameters: int
    multiply_adds: int | None
    receptive_field: _Field

    def _cells(self) -> tuple[str, ...]:
        work = "?" if self.multiply_adds is None else f"{self.multiply_adds:,}"
        if isinstance(self.receptive_field, tuple):
            seen = "x".join(map(str, self.receptive_field)) or "1"
        else:
            seen = self.receptive_field or "?"
        return self.layer, str(self.output_shape), f"{self.parameters:,}", work, seen


@dataclass(frozen=True, repr=False)
class ModelTable:
    """The table that `model_table` makes; it displays as one, in a notebook and in print.

    Attributes
    ----------
    rows : tuple of LayerRow
        A row a layer, from the input on.
    """

    rows: tuple[LayerRow, ...]

    @property
    def parameters(self) -> int:
        """Parameters of all layers together; ``model.count_params()``."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for one example, of the layers that could be counted."""
        return sum(row.multiply_adds or 0 for row in self.rows)

    @property
    def not_counted(self) -> tuple[str, ...]:
        """Types of the layers whose multiply-adds are not known."""
        return tuple(dict.fromkeys(row.layer for row in self.rows if row.multiply_adds is None))

    def __repr__(self) -> str:
        lines = self._lines()
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        layout = "  ".join(f"{{:{side}{width}}}" for side, width in zip("<<>>>", widths, strict=True))  # {:<13}  {:>10}
        return "\n".join([self._caption(), *(layout.format(*line).rstrip() for line in lines)])

    def _repr_html_(self) -> str:
        """What Jupyter displays."""
        header, *lines = self._lines()
        head = "".join(f'<th scope="col">{name}</th>' for name in header)
        *body, foot = (
            f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
            for name, *cells in lines
        )
        top = f"<table><caption>{self._caption()}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>"
        return "\n".join([top, *body, f"</tbody>\n<tfoot>{foot}</tfoot></table>"])

    def _caption(self) -> str:
        gaps = f" Multiply-adds not known: {', '.join(self.not_counted)}." if self.not_counted else ""
        return f"The layers of the model, and what they take for one example.{gaps}"

    def _lines(self) -> list[tuple[str, ...]]:
        """Header, rows and totals, as text."""
        header = ("layer", "output shape", "parameters", "multiply-adds", "receptive field")
        work = f"{self.multiply_adds:,}{' + ?' * bool(self.not_counted)}"
        return [header, *(row._cells() for row in self.rows), ("total", "", f"{self.parameters:,}", work, "")]


def model_table(model: "keras.Model") -> ModelTable:
    """Tabulate a Keras model layer by layer: output shape, parameters, multiply-adds, receptive field.

    Taught in notebook ``02_every_option``.

    Parameters
    ----------
    model : keras.Model
        A Sequential model that knows its input shape, or a functional one that is a single chain of layers.

    Returns
    -------
    ModelTable
        Displays as a table with totals; ``rows``, ``parameters`` and ``multiply_adds`` hold the numbers.

    Raises
    ------
    ValueError
        If the model is not a single chain of layers, or does not know its input shape yet.
    TypeError
        If it is not a Keras model.

    Notes
    -----
    Multiply-adds are those with a layer's weights, for one example, counted as in `conv_multiply_adds`. A dense layer
    takes one for each weight at each position, batch normalisation one for each value: in a trained model it is a scale
    and a shift. Pooling, activations, dropout and what moves values about have no weights and take none.

    A receptive field is "all" from where it stops growing: a dense layer after Flatten, or global pooling, depends on
    all that the layers before it have read. A dense layer on more axes works on the last of them only: with channels
    last, those are the channels, and it sees no further than the layer before.

    Layers of other types are not guessed at: they show "?" and are named above the table. Their shapes and parameters
    are Keras's own.

    Examples
    --------
    >>> from convtour import define_model
    >>> model_table(define_model((28, 28, 1), num_classes=10))
    The layers of the model, and what they take for one example.
    layer         output shape        parameters  multiply-adds  receptive field
    Conv2D        (None, 26, 26, 32)         320        194,688              3x3
    MaxPooling2D  (None, 13, 13, 32)           0              0              4x4
    Flatten       (None, 5408)                 0              0              4x4
    Dense         (None, 100)            540,900        540,800              all
    Dense         (None, 10)               1,010          1,000              all
    total                                542,230        736,488
    """
    layers = _chain(model)
    itself: Window = ((1,) * (len(model.input_shape) - 2),) * 3
    windows, field = [itself], cast("_Field", itself[0])
    rows, output = [], model.inputs[0]
    for layer in layers:
        output = layer.compute_output_spec(output)  # layer.output is of its first call, maybe in another model
        multiply_adds, sees = _row(layer, output.shape)
        if sees == "all" or field == "all":
            field = "all"
        elif sees is None or field is None:
            field = None
        elif sees != "same":
            windows.append(sees)
            field = tuple(map(receptive_field, zip(*(zip(*window, strict=True) for window in windows), strict=True)))
        rows.append(LayerRow(type(layer).__name__, output.shape, layer.count_params(), multiply_adds, field))
    return ModelTable(tuple(rows))


_RANKS = ("1D", "2D", "3D")

_CONVOLUTIONS = {f"{kind}Conv{rank}" for kind in ("", "Depthwise", "Separable") for rank in _RANKS}


_POOLING = {f"{kind}Pooling{rank}" for kind in ("Max", "Average") for rank in _RANKS}


_GLOBAL_POOLING = {f"Global{kind}" for kind in _POOLING}


# Layers without weights whose outputs depend on no more positions than their inputs,
_POINTWISE = {"Activation", "ReLU", "LeakyReLU", "ELU", "Dropout", "GaussianNoise", "GaussianDropout", "Identity"} | {
    *("Rescaling", "Flatten"),
    *(f"{kind}{rank}" for kind in ("SpatialDropout", "ZeroPadding", "Cropping") for rank in _RANKS),
}


# and those that may bring other positions together.
_REARRANGING = {"Reshape", "Permute", "Softmax"}


def _row(layer: Any, shape: Shape) -> tuple[int | None, Window | Literal["same", "all"] | None]:
    """Multiply-adds of a layer with an output of that shape, and what it sees of its input; None if not known."""
    # By its exact type: a subclass may do anything.
    kind = type(layer).__name__ if type(layer).__module__.startswith("keras.") else ""
    rank = len(shape) - 2
    weights = sum(math.prod(variable.shape) for variable in layer.weights if variable.name != "bias")
    if kind in _CONVOLUTIONS:
        positions = shape[2:] if is_channels_first(layer.data_format) else shape[1:-1]
        return _product(weights, positions), (layer.kernel_size, layer.strides, layer.dilation_rate)
    if kind in _POOLING:
        return 0, (layer.pool_size, layer.strides, (1,) * rank)
    if kind == "Dense":
        return _product(weights, shape[1:-1]), "same" if rank else "all"
    if kind == "BatchNormalization":
        return _product(1, shape[1:]), "same"
    if kind in _GLOBAL_POOLING:
        return 0, "all"
    if kind in _POINTWISE:
        return 0, "same"
    return 0 if kind in _REARRANGING else None, None


def _product(factor: int, lengths: Shape) -> int | None:
    """The product of all; None if a length is not known."""
    known = [length for length in lengths if length is not None]
    return factor * math.prod(known) if len(known) == len(lengths) else None


def _chain(model: "keras.Model") -> list[Any]:
    """Return the layers of a model in order, or say why there is no such order."""
    import keras

    if not isinstance(model, keras.Model):
        raise TypeError(f"model={brief(repr(model))}: expected a keras.Model, got {type(model).__name__}.")
    if not hasattr(model, "input_shape"):
        raise ValueError(
            "The model has no input shape: begin it with keras.Input(shape). A model that is a class of its own "
            "cannot be followed either."
        )
    layers = model.layers
    if not isinstance(model, keras.Sequential):
        ends = len(model.inputs) == len(model.outputs) == 1 and layers[-1].output is model.outputs[0]
        if not ends or any(after.input is not before.output for before, after in pairwise(layers)):
            raise ValueError(
                "The model is not a single chain of layers, each called once on the output of the one before; its "
                "branches and joins cannot be followed in a table."
            )
    return [
        inner
        for layer in layers
        if not isinstance(layer, keras.layers.InputLayer)
        for inner in (_chain(layer) if isinstance(layer, keras.Model) else [layer])
    ]
