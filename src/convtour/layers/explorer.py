"""A picture of convolution to play with: every setting, every output cell, and Keras's own answer beside it.

What a notebook stores is one piece of HTML with its numbers and a small script (``convolution_explorer.js``, after what
all explorers share, ``explorer.js``): it needs neither a kernel nor a network, and its bytes are the same every time.
Without the script it shows a plain table.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from itertools import product
import json
from pathlib import Path
from typing import Any, NamedTuple

from convtour._checks import one_of
import keras
import numpy as np
import numpy.typing as npt

_Whole = npt.NDArray[np.int64]

_LENGTHS, _KERNELS, _STRIDES, _DILATIONS = range(4, 8), range(1, 4), range(1, 4), range(1, 4)
_PADDINGS = {1: ("valid", "same", "causal"), 2: ("valid", "same")}
_ALWAYS = {"filters": 1, "data_format": "channels_last", "use_bias": False, "dtype": "float32"}

# No number is 0, so every 0 in a sum is padding. The grid holds the first digits of pi, its zero left out.
# Shorter inputs are the beginning of these along each axis.
_PI = ("3141592", "6535897", "9323846", "2643383", "2795288", "4197169", "3993751")
_INPUTS: dict[int, _Whole] = {1: np.arange(1, 8), 2: np.array([[int(digit) for digit in row] for row in _PI])}

_FALLBACK = """\
<p>{description}</p>
<p>Here is where you would move the settings yourself. That takes JavaScript and, in Jupyter, a trusted notebook: run
the cell, or choose Trust Notebook in the command palette. Meanwhile, here is how large Keras's output is with strides s
and dilation rate d; a letter is a refusal, explained below.</p>
<table>
<thead><tr><th>padding</th><th>input</th><th>kernel</th>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table>
{notes}"""


def page(kind: str, fallback: str, data: object) -> str:
    """Return an explorer as one piece of HTML: what is read without its script, its numbers, and its script."""
    scripts = [Path(__file__).with_name(f"{name}.js").read_text(encoding="utf-8") for name in ("explorer", kind)]
    embedded = json.dumps(data, separators=(",", ":")).replace("<", r"\u003c")
    # Jupyter's own shortcuts (arrow keys, "dd" to delete a cell) stay quiet while a control has the focus.
    return (
        f'<div class="convtour-{kind}" data-lm-suppress-shortcuts="true">\n{fallback}\n'
        f'<script type="application/json">{embedded}</script>\n'
        f"<script>(() => {{\n{''.join(scripts)}"
        f'for (const host of document.querySelectorAll(".convtour-{kind}")) if (!host.shadowRoot) start(host);\n'
        "})();</script>\n</div>"
    )


class Setting(NamedTuple):
    """What the reader can choose, in Keras's spelling."""

    input_size: int
    kernel_size: int
    strides: int
    dilation_rate: int
    padding: str


@dataclass(frozen=True, eq=False, repr=False)
class Explorer:
    """An interactive picture of a convolution layer on a line or a grid of small whole numbers.

    In a notebook it displays itself. It works with the mouse or the keyboard, and offline.

    Attributes
    ----------
    rank : {1, 2}
        The number of axes that the kernel slides along.
    answers : dict
        For each `Setting` what Keras answered: the output, an array of int with ``rank`` axes, or the exception it
        raised, as text, without the arguments that it received.

    Examples
    --------
    >>> explorer = explore_convolution(rank=1)
    >>> explorer.answers[6, 3, 2, 1, "same"]
    array([321, 543,  65])
    """

    rank: int
    answers: dict[Setting, _Whole | str]

    @property
    def description(self) -> str:
        """How many settings it holds, and how many of them Keras refuses."""
        refused = sum(isinstance(answer, str) for answer in self.answers.values())
        return (
            f"Convolution explorer for Conv{self.rank}D: {len(self.answers)} settings (input size "
            f"{_LENGTHS[0]} to {_LENGTHS[-1]}, kernel size {_KERNELS[0]} to {_KERNELS[-1]}, strides {_STRIDES[0]} to "
            f"{_STRIDES[-1]}, dilation rate {_DILATIONS[0]} to {_DILATIONS[-1]}, padding "
            f"{' or '.join(_PADDINGS[self.rank])}), each with Keras's own answer: "
            f"{len(self.answers) - refused} outputs and {refused} refusals."
        )

    def __repr__(self) -> str:
        return self.description

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        """What Jupyter displays: the picture with its script, and what it holds as plain text."""
        html = page("convolution_explorer", self._fallback(), self._data())
        return {"text/html": html, "text/plain": self.description}

    def _refusals(self) -> list[str]:
        """The different refusals, in the order in which they occur."""
        return list(dict.fromkeys(answer for answer in self.answers.values() if isinstance(answer, str)))

    def _data(self) -> dict[str, Any]:
        """The numbers that the script draws: a line is a grid of one row, a refusal is its number."""
        refusals = self._refusals()

        def embedded(answer: _Whole | str) -> Any:
            return refusals.index(answer) if isinstance(answer, str) else np.atleast_2d(answer).tolist()

        return {
            "rank": self.rank,
            "input": embedded(_INPUTS[self.rank]),
            "kernels": {size: embedded(_kernel(self.rank, size)) for size in _KERNELS},
            "options": {name: list(each) for name, each in zip(Setting._fields, _choices(self.rank), strict=True)},
            "refusals": refusals,
            "answers": {",".join(map(str, setting)): embedded(answer) for setting, answer in self.answers.items()},
        }

    def _fallback(self) -> str:
        """What is read where no script runs: a row for each padding, input and kernel."""
        marks = dict(zip(self._refusals(), "abcdefgh", strict=False))

        def cell(answer: _Whole | str) -> str:
            return f"({marks[answer]})" if isinstance(answer, str) else "×".join(map(str, answer.shape))

        pairs = list(product(_STRIDES, _DILATIONS))
        rows = []
        for padding, length, kernel in product(_PADDINGS[self.rank], _LENGTHS, _KERNELS):
            sizes = [cell(self.answers[Setting(length, kernel, *pair, padding)]) for pair in pairs]
            rows.append("".join(f"<td>{text}</td>" for text in (padding, length, kernel, *sizes)))
        notes = [f"<p>({mark}) Refused: {escape(refusal, quote=False)}</p>" for refusal, mark in marks.items()]
        return _FALLBACK.format(
            description=escape(self.description, quote=False),
            head="".join(f"<th>s={stride} d={dilation}</th>" for stride, dilation in pairs),
            body="\n".join(f"<tr>{row}</tr>" for row in rows),
            notes="\n".join(notes),
        )


def explore_convolution(rank: int = 2) -> Explorer:
    """Make an interactive picture of a convolution layer, with Keras's own answer for every setting.

    The reader chooses input size, kernel size, strides, dilation rate and padding, and steps through the output; the
    picture shows the padded input, the taps of the kernel on it, the sum written out, and what Keras says. All numbers
    are whole, so that everything can be checked by eye. Keras is asked now, once for each setting; afterwards the
    picture needs no kernel.

    Taught in notebook ``02_every_option``.

    Parameters
    ----------
    rank : {1, 2}
        1 for ``Conv1D``, along a line, where padding may also be causal; 2 for ``Conv2D``, over a grid.

    Returns
    -------
    Explorer
        Displays itself in a notebook. Its ``answers`` are there to be read, too.

    Raises
    ------
    ValueError
        If the rank is neither 1 nor 2.

    Examples
    --------
    >>> explorer = explore_convolution(rank=2)
    >>> explorer.answers[4, 3, 1, 1, "valid"]
    array([[189, 141],
           [186, 167]])
    >>> print(explorer.answers[4, 3, 2, 2, "valid"])
    ValueError: `strides > 1` not supported in conjunction with `dilation_rate > 1`.
    """
    one_of("rank", rank, (1, 2))
    settings = map(Setting._make, product(*_choices(rank)))
    return Explorer(rank, {setting: _ask_keras(rank, setting) for setting in settings})


def _choices(rank: int) -> tuple[Iterable[Any], ...]:
    """What there is to choose from, for each field of a setting."""
    return _LENGTHS, _KERNELS, _STRIDES, _DILATIONS, _PADDINGS[rank]


def _kernel(rank: int, size: int) -> _Whole:
    """Weights 1, 10, 100 on a line, where the output then spells what the kernel met; 1, 2, 3, ... on a grid."""
    return 10 ** np.arange(size) if rank == 1 else np.arange(1, size**2 + 1).reshape(size, size)


def _ask_keras(rank: int, setting: Setting) -> _Whole | str:
    """What the Keras layer makes of a setting: its output, or its exception."""
    options = setting._asdict()
    inputs = _INPUTS[rank][(slice(options.pop("input_size")),) * rank]
    try:
        # Named and without random weights: it leaves Keras's counters and random numbers as they were.
        convolution = getattr(keras.layers, f"Conv{rank}D")
        layer = convolution(**_ALWAYS, **options, kernel_initializer="zeros", name="explored")
        layer.build((1, *inputs.shape, 1))
        layer.set_weights([_kernel(rank, setting.kernel_size)[..., np.newaxis, np.newaxis]])
        outputs = layer(inputs[np.newaxis, ..., np.newaxis].astype(np.float32))
    except ValueError as error:
        return f"{type(error).__name__}: {str(error).split(' Received')[0]}"
    values: npt.NDArray[np.float32] = keras.ops.convert_to_numpy(outputs)[0, ..., 0]
    # Whole numbers in, whole numbers out: this takes away what a fast algorithm on a GPU may have added.
    return np.rint(values).astype(np.int64)
