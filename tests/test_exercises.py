"""Exercises say which mistake was made, never raise, and end in time; every solution passes its own check."""

import ast
from collections.abc import Iterator
import contextlib
from functools import partial
from pathlib import Path
import re
import threading
import time
from typing import Any

from convtour import exercises
from convtour.exercises.exercise import Exercise, Said
from convtour.exercises.judges import Choice, Function, Judge, Value, Written, theirs
from convtour.exercises.limit import run_within
from convtour.exercises.mistakes import WrongError, compare
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
import keras
import nbformat
import numpy as np
import pytest
from scipy import ndimage
from sklearn.model_selection import GroupKFold, KFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

ROOT = Path(__file__).parents[1]
LESSONS = sorted((ROOT / "src" / "convtour" / "exercises").glob("lesson_*.py"))
NAMES = [path.stem.removeprefix("lesson_") for path in LESSONS]
ALL = [pytest.param(name, n, id=f"{name}-{n + 1}") for name in NAMES for n in range(len(exercises.load(name)))]


def solved(exercise: Exercise, name: str) -> Any:
    """What the solution's code makes of the name that the notebook's cell checks."""
    scope: dict[str, Any] = {}
    exec(exercise.answer, scope)
    return scope[name]


def cells(notebook: str) -> dict[str, Any]:
    stored = nbformat.read(ROOT / "notebooks" / f"{notebook}.ipynb", as_version=4)
    return {cell.id: cell for cell in stored.cells}


def checked_name(source: str) -> str:
    """The name in the brackets of a cell's last line, `four.check(name)`."""
    found = re.fullmatch(r"\w+\.check\((\w+)\)", source.strip().splitlines()[-1])
    assert found, source
    return found[1]


def test_every_notebook_from_01_to_09_has_exercises_fifty_in_all() -> None:
    stems = [path.stem for path in sorted((ROOT / "notebooks").glob("0[1-9]_*.ipynb"))]
    assert stems == NAMES
    assert min(len(exercises.load(name)) for name in NAMES) >= 5
    assert len(ALL) >= 50


@pytest.mark.parametrize(("notebook", "index"), ALL)
def test_a_solution_passes_its_own_check_and_a_stub_is_not_attempted(notebook: str, index: int) -> None:
    exercise = exercises.load(notebook)[index]
    source = cells(notebook)[f"exercise-{index + 1}"].source
    name = checked_name(source)
    scope: dict[str, Any] = {}
    exec("\n".join(source.strip().splitlines()[:-1]), scope)
    assert exercise.check(scope[name]).passed is None
    verdict = exercise.check(solved(exercise, name))
    assert verdict.passed, verdict
    assert re.match(r"✓ \*\*Right\.\*\* [A-Z0-9`\"$(\-−]", verdict.text)
    assert str(exercise.hint()) != str(exercise.hint()) or len(exercise.hints) == 1
    assert exercise.answer.strip() in exercise.solution().text


@pytest.mark.parametrize(("notebook", "index"), ALL)
def test_typical_mistakes_get_each_their_own_message_and_never_the_answer(notebook: str, index: int) -> None:
    exercise = exercises.load(notebook)[index]
    mistakes = exercise.judge.mistakes
    assert len(mistakes) >= (2 if isinstance(exercise.judge, Choice) else 3)
    said = []
    for wrong, message in mistakes:
        verdict = exercise.check(wrong)
        assert verdict.passed is False
        assert message in verdict.text
        said.append(message)
    assert len(set(said)) == len(said)
    if isinstance(exercise.judge, Value) and isinstance(exercise.judge.expected, (int, float, tuple)):
        right = re.escape(str(exercise.judge.expected))
        assert not [message for message in said if re.search(rf"(?<![\w.,]){right}(?![\w]|[.,]\d)", message)]


# Wrong answers that a reader gave, in the reader's words; once each was accepted, or got another mistake's message.


def both(windows: Any) -> Any:
    """Exercise 5 of notebook 02 with other windows; what they read outside is 0."""

    def sums(signal: Any, kernel: Any, strides: int, dilation_rate: int) -> Any:
        inside = dict(enumerate(signal))
        starts = windows(len(signal), dilation_rate * (len(kernel) - 1) + 1, strides)
        reads = [[inside.get(start + tap * dilation_rate, 0) for tap in range(len(kernel))] for start in starts]
        return [sum(kernel * read) for read in reads]

    return sums


def thinned(signal: Any, kernel: Any, strides: int, dilation_rate: int) -> Any:
    signal, span = signal[::strides], dilation_rate * (len(kernel) - 1) + 1
    return [sum(kernel * signal[start : start + span : dilation_rate]) for start in range(len(signal) - span + 1)]


def sees(layers: Any, output: int, span: int = 0, first: int = 0, length: bool = False) -> tuple[int, int]:
    """Exercise 6 of notebook 02."""
    start = end = output
    for kernel_size, strides, dilation_rate in reversed(layers):
        start, end = start * strides, end * strides + dilation_rate * (kernel_size - 1) + span
    return start + first, end - start + 1 if length else end + first


def no_strides(layers: Any, output: int) -> tuple[int, int]:
    return output, output + sees(layers, 0)[1]


def clips(*layers: Any) -> Any:
    """Exercise 8 of notebook 02: a layer, and zeros as pairs."""

    def model() -> Any:
        import keras

        made = [
            keras.layers.Conv3D(2, 3) if layer == "layer" else keras.layers.ZeroPadding3D(layer) for layer in layers
        ]
        return keras.Sequential([keras.Input((6, 8, 8, 1)), *made])

    return model


def centred(image: Any, whole: Any = np.round, **options: Any) -> Any:
    """Exercise 4 of notebook 09."""
    return ndimage.shift(image, whole(14 - np.array(ndimage.center_of_mass(image))), **options)


def centre(small: Any) -> Any:
    """The page's own."""
    image = np.zeros((28, 28), dtype="float32")
    corner = np.round(14 - np.array(ndimage.center_of_mass(small))).astype(int)
    top, left = np.clip(corner, 0, 28 - np.array(small.shape))
    image[top : top + small.shape[0], left : left + small.shape[1]] = small
    return image


def above(p: Any, y: Any, limit: float) -> Any:
    return (p.max(axis=1) > limit).mean(), (p.argmax(axis=1) == y)[p.max(axis=1) > limit].mean()


def percent(p: Any, y: Any, limit: float) -> Any:
    sure = p.max(axis=1) >= limit
    return 100 * sure.mean(), 100 * (p.argmax(axis=1) == y)[sure].mean()


def counted(p: Any, y: Any, limit: float) -> Any:
    sure = p.max(axis=1) >= limit
    return sure.sum(), (p.argmax(axis=1) == y)[sure].sum()


def divided(page: Any) -> Any:
    smooth = ndimage.gaussian_filter(page, 0.5)
    return smooth / ndimage.grey_closing(smooth, 5)


def one_label(clips: Any, labels: Any) -> Any:
    """Exercise 5 of notebook 05, each change on a line of its own."""
    labels = labels.copy()
    labels[labels == 2] = 3
    labels[labels == 3] = 2
    return clips[:, :, :, ::-1], labels


def films(*layers: Any, size: Any = (None, None, None, 1)) -> Any:
    """Exercise 8 of notebook 05."""

    def network() -> Any:
        return keras.Sequential([keras.Input(size), *(layer() for layer in layers)])

    return network


def box(filters: int, kernel_size: Any) -> Any:
    return partial(keras.layers.Conv3D, filters, kernel_size, activation="relu")


LARGEST, SHARES = keras.layers.GlobalMaxPooling3D, partial(keras.layers.Dense, 4, activation="softmax")


def leak_from_behind(pictures: Any, digits: Any) -> Any:
    """Exercise 8 of notebook 07, the copies in another order."""
    moves = [(0, 1), (0, -1), (1, 0), (-1, 0), (0, 0)]
    rows = np.concatenate([np.roll(pictures, move, axis=(1, 2)) for move in moves]).reshape(5 * len(pictures), -1)
    origin = np.tile(np.arange(len(pictures)), 5)
    cuts = [(KFold(3, shuffle=True, random_state=1), None), (GroupKFold(3), origin)]
    return [
        cross_val_score(KNeighborsClassifier(1), rows, digits[origin], cv=cv, groups=groups).mean()
        for cv, groups in cuts
    ]


@pytest.mark.parametrize(
    ("exercise", "answer", "said"),
    [
        ("05-1", (6, 6, 14, 14, 8), "Off by one in entry 1"),
        ("05-5", one_label, "Left and right have become one label"),
        ("05-5", lambda clips, labels: (labels, clips), "The clips come first"),
        ("05-5", lambda clips, labels: (clips[:, :, :, ::-1], 5 - labels), "Of the labels: The shape is right"),
        ("05-7", lambda film: "up", "Every film gets the same answer, 'up'"),
        ("05-7", lambda film: None, "Does every way through it end in `return`"),
        ("05-8", films(box(4, 3), box(4, 3), LARGEST, SHARES), "one behind the other, too long for them?"),
        ("06-1", 1_327_204, "1,327,204 is too large"),
        ("06-7", lambda x, y, folds, choose, score: [0.5] * 5, "`choose`, `score`."),
        ("07-8", lambda pictures, digits: (0.036, 0.29), "shares of mistakes"),
        (
            "08-5",
            lambda p: np.minimum(1, np.maximum.accumulate(np.arange(6, 6 - len(p), -1) * np.sort(p))),
            "values are",
        ),
        ("08-6", 0.96925, "as a share"),
        ("02-1", (8, 3199), "The axis of filters is missing"),
        ("02-1", (8, 3199, 10), "as long as the kernel"),
        ("02-2", 145, "one filter with its bias"),
        ("02-2", 9217, "one bias for all"),
        ("02-2", 147_520, "Groups do not multiply"),
        ("02-2", 3136, "A picture's kernel has 3x3 taps"),
        ("02-5", both(lambda n, span, strides: range(0, n - span, strides)), "The last window that fits"),
        ("02-5", both(lambda n, span, strides: range(0, n, strides)), "hang over the end"),
        ("02-5", both(lambda n, span, strides: range(-(span // 2), n - span // 2, strides)), "no padding is"),
        ("02-5", thinned, "You thinned out the signal first"),
        ("02-6", partial(sees, first=1), "Inputs are counted from 0"),
        ("02-6", partial(sees, length=True), "asked for is the last"),
        ("02-6", partial(sees, span=1), "the place after its end"),
        ("02-6", no_strides, "the place is not: how far apart are the windows of neighbouring outputs?"),
        ("02-7", [1, 2, 4], "One output sees 15 inputs, too few.$"),
        ("02-8", clips(((0, 0), (0, 0), (2, 0)), "layer"), "The zeros lie along another axis"),
        ("02-8", clips("layer", ((2, 0), (0, 0), (0, 0))), "they stand behind the layer"),
        ("09-2", 3.57, "The longer side counts, and a margin"),
        ("09-4", partial(centred, order=0, mode="nearest"), "where 0 should come in"),
        ("09-4", lambda image: image, "Nothing has moved"),
        ("09-4", centre, "Nothing has moved"),
        ("09-4", partial(centred, whole=np.array), "with a spline"),
        ("09-5", above, "equal counts"),
        ("09-5", percent, "These are percent"),
        ("09-5", counted, "These are counts"),
        ("09-7", divided, "The lines are left and the strokes gone"),
        ("09-7", np.ones_like, "The strokes went with the lines. (A window"),
    ],
)
def test_a_reader_s_wrong_answer_is_told_as_what_it_is(exercise: str, answer: Any, said: str) -> None:
    notebook, number = exercise.split("-")
    page = exercises.load(next(name for name in NAMES if name.startswith(notebook)))
    verdict = page[int(number) - 1].check(answer)
    assert verdict.passed is False
    assert said in f"{verdict.text}$"  # $ is the end


@pytest.mark.parametrize(
    ("exercise", "answer"),
    [
        ("05-8", films(box(8, (2, 5, 5)), LARGEST, SHARES)),
        ("07-8", leak_from_behind),
    ],
)
def test_another_right_answer_than_the_solution_is_right(exercise: str, answer: Any) -> None:
    notebook, number = exercise.split("-")
    page = exercises.load(next(name for name in NAMES if name.startswith(notebook)))
    verdict = page[int(number) - 1].check(answer)
    assert verdict.passed, verdict


@pytest.mark.parametrize("notebook", NAMES)
def test_the_page_shows_every_exercise_in_order(notebook: str) -> None:
    found = cells(notebook)
    numbers = [int(cell_id.split("-")[1]) for cell_id in found if re.fullmatch(r"exercise-\d+", cell_id)]
    assert numbers == list(range(1, len(exercises.load(notebook)) + 1))
    assert f'exercises.load("{notebook}")' in found["exercise-load"].source


def with_solutions(notebook: str) -> list[Any]:
    """The cells of a page, the stubs of its exercises replaced by their solutions."""
    page, filled = exercises.load(notebook), cells(notebook)
    for number, exercise in enumerate(page, 1):
        stub = filled[f"exercise-{number}"]
        stub.source = f"{exercise.answer.strip()}\n\n{stub.source.strip().splitlines()[-1]}"
    return list(filled.values())


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the pages are written with TensorFlow")
@pytest.mark.parametrize(
    "name", [name if name[:2] == "02" else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_a_page_with_all_its_solutions_filled_in_runs_clean_from_top_to_bottom(name: str) -> None:
    from store_notebooks import run

    done = run(nbformat.v4.new_notebook(cells=with_solutions(name)))
    verdicts = [
        output["data"]["text/markdown"]
        for cell in done.cells
        if re.fullmatch(r"exercise-\d+", cell.id)
        for output in cell.outputs
        if "data" in output
    ]
    assert [text for text in verdicts if not text.startswith("✓ **Right.**")] == []
    count = len(exercises.load(name))
    assert len(verdicts) == count
    assert any(text.endswith(f" {count} of {count} done.") for text in verdicts)


# A check never raises and never takes longer than its limit, whatever it is given.

_PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.binary(),
    st.dates(),
    hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, max_dims=4, max_side=3)),
)
ANYTHING = st.recursive(
    _PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.text(max_size=3), inner, max_size=3),
        st.functions(like=lambda *args, **kwargs: None, returns=inner, pure=False),
    ),
    max_leaves=8,
)


class Spiteful:
    """An object that answers every question with an exception."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise RuntimeError

    def __len__(self) -> int:
        raise RuntimeError

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError

    def __call__(self, *arguments: Any) -> Any:
        raise RuntimeError


JUDGES: dict[str, Judge] = {
    "number": Value(5, [(4, "m")]),
    "float": Value(0.25, [(0.5, "m")]),
    "shape": Value((4, 26, 26, 2), [((26, 26, 2), "m")]),
    "array": Value(np.arange(12.0).reshape(3, 4), [(np.zeros((3, 4)), "m")], dtype=True),
    "word": Value("same"),
    "truth": Value(True),
    "choice": Choice([("one", None), ("two", "no")]),
    "function": Function(lambda n: n + 1, [(1,), (2,)], [(lambda n: n, "m")]),
    "written": Written(lambda answer: compare(theirs(answer, 3), 4)),
}


@pytest.mark.parametrize("kind", JUDGES)
@given(answer=ANYTHING)
def test_a_check_raises_for_no_answer(kind: str, answer: Any) -> None:
    verdict = Exercise("?", JUDGES[kind], ["h"], "answer = 1", "Because.").check(answer)
    assert verdict.passed in (True, False, None)
    assert not verdict.passed or kind != "number" or answer == 5 or np.allclose(answer, 5)
    assert repr(verdict)


@pytest.mark.parametrize("kind", JUDGES)
def test_nor_for_an_answer_that_fights_back(kind: str) -> None:
    assert Exercise("?", JUDGES[kind], ["h"], "answer = 1", "Because.").check(Spiteful()).passed is False


def endless() -> None:
    while True:
        pass


def endless_and_deaf() -> None:
    until = time.monotonic() + 3
    while time.monotonic() < until:
        with contextlib.suppress(BaseException):
            time.sleep(0.01)


@pytest.mark.parametrize("function", [endless, endless_and_deaf])
def test_a_check_ends_with_its_limit(function: Any) -> None:
    exercise = Exercise("?", Function(lambda: 1, [()]), ["h"], "answer = 1", "Because.", seconds=0.3)
    start = time.monotonic()
    verdict = exercise.check(function)
    assert time.monotonic() - start < 2
    assert verdict.passed is False
    assert "0.3 seconds" in verdict.text


def test_a_loop_that_was_given_up_does_not_go_on() -> None:
    before = threading.active_count()
    run_within(0.2, endless)
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() == before


def test_an_import_is_not_stopped_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_to_load.py").write_text("import time\nfor _ in range(20):\n    time.sleep(0.05)\nwhole = True\n")
    monkeypatch.syspath_prepend(tmp_path)

    def imports() -> bool:
        import slow_to_load  # type: ignore[import-not-found]

        return bool(slow_to_load.whole)

    assert run_within(0.2, imports).value is True


def test_an_exception_is_told_without_colours() -> None:
    def coloured() -> None:
        raise ValueError("\x1b[1mInput\x1b[0m is wrong")

    verdict = Exercise("?", Function(lambda: 1, [()]), ["h"], "answer = 1", "Because.").check(coloured)
    assert "ValueError: Input is wrong" in verdict.text


def test_the_reader_s_own_exception_is_told_as_theirs_with_its_line() -> None:
    def halved(number: int) -> float:
        return number / 0

    verdict = Exercise("?", Function(lambda n: n / 2, [(4,)]), ["h"], "answer = 1", "Because.").check(halved)
    assert "Your function raised, for `4`" in verdict.text
    assert "in halved: return number / 0" in verdict.text
    assert "ZeroDivisionError: division by zero" in verdict.text


def test_an_exception_in_a_library_is_told_without_the_library_s_lines() -> None:
    import keras

    dense = keras.layers.Dense(2)
    dense.build((None, 3))
    verdict = Exercise("?", Function(lambda x: x, [(np.zeros((1, 4)),)]), ["h"], "answer = 1", "Because.").check(dense)
    assert "Your function raised" in verdict.text
    assert "line " not in verdict.text.split("```")[1].splitlines()[1]


def test_what_helps_is_said_with_it() -> None:
    def check(answer: Any, *case: Any) -> str:
        judge = Function(lambda *arguments: 1, [case])
        return Exercise("?", judge, ["h"], "answer = 1", "Because.").check(answer).text

    import keras

    assert "run the cells above" in check(lambda: not_there)  # type: ignore[name-defined]  # noqa: F821
    assert "gave `None`" in check(lambda: None)
    assert "the function that makes it" in check(keras.layers.Dense(2))
    assert "So it is for `np.array([1, 2])`, an array of shape (3, 5), `4`." in check(
        lambda *given: 2, np.array([1, 2]), np.zeros((3, 5)), 4
    )


def test_each_hint_says_more_and_the_last_says_that_it_is() -> None:
    exercise = Exercise("?", Value(1), ["one", "two"], "answer = 1", "Because.")
    first, second, third = (repr(exercise.hint()) for _ in range(3))
    assert first == "Hint 1 of 2. one"
    assert second == third == "Hint 2 of 2. two (The last; `solution()` shows an answer.)"


def test_words_print_without_their_stars_and_powers_keep_theirs() -> None:
    assert (
        repr(Said("**Right.** It is `3**2` or `(1 + 2) ** 2`, and 2**3."))
        == "Right. It is `3**2` or `(1 + 2) ** 2`, and 2**3."
    )


def test_arguments_that_a_function_changes_are_not_seen_by_the_next() -> None:
    def spoil(array: np.ndarray) -> float:
        array[:] = 0
        return 6.0

    judge = Function(np.sum, [(np.arange(4.0),)])
    assert Exercise("?", judge, ["h"], "answer = 1", "Because.").check(spoil).passed
    assert judge.cases[0][0].sum() == 6


SHAPE, GRID = (4, 26, 26, 2), np.arange(9.0).reshape(3, 3)


@pytest.mark.parametrize(
    ("answer", "expected", "said"),
    [
        # in the order in which they are looked for: type, dtype, rank, shape, values
        (None, SHAPE, "None"),
        ("26", 26, "Leave out the quotes"),
        (True, 26, "of type bool"),
        ([3, 4], 26, "holds 2"),
        ((13, 888), 13_888, "A comma makes a tuple: thousands are written 12_288"),
        ((7, 5), 7.5, "and decimals with a point"),
        (2.5, 3, "whole number"),
        (27, 26, "Off by one"),
        (-26, 26, "the sign is not"),
        (25.0, 0.25, "a hundred times too large"),
        (0.25, 25.0, "a hundred times too small"),
        (float("inf"), 26, "infinite"),
        ((0.5, 0.1), 0.5, "a tuple of 2."),
        (float("nan"), 0.25, "NaN"),
        (7, 26, "too small"),
        (26, SHAPE, "Asked for is a tuple"),
        ((4, "26", 26, 2), SHAPE, "of type str"),
        ((None, 26, 26, 2), SHAPE, "one of these is `None`"),
        ((4, 26.0, 26, 2), SHAPE, "//"),
        ((26, 26, 2), SHAPE, "that is the batch axis"),
        ((4, 26, 2), SHAPE, "It has 3 entries"),
        ((4, 2, 26, 26), SHAPE, "channels come last"),
        ((16, 12), (12, 16), "their order is not"),
        ((1, 2), (3, 5), "No entry is right"),
        ((2, 26, 26, 4), SHAPE, "their order is not"),
        ((4, 25, 25, 2), SHAPE, "Off by one in entries 1, 2"),
        ((4, 28, 28, 2), SHAPE, "Not right in entries 1, 2"),
        (3, "same", "text in quotes"),
        ("full", "same", "another word"),
        (0, True, "`True` or `False`"),
        (False, True, "the other one"),
        ("text", GRID, "Asked for is an array"),
        (np.array(["a"]), GRID, "holds text"),
        (np.zeros(3), GRID, "It has 1 axis, shape (3,); 2 are asked for"),
        (np.zeros((3, 1)), np.zeros(3), "It has 2 axes, shape (3, 1); 1 is asked for"),
        (np.zeros((1, 3, 3)), GRID, "one axis too many"),
        (np.zeros((3, 3)), np.zeros((2, 3, 3)), "batch axis is missing"),
        (np.zeros((2, 3)), np.zeros((2, 3, 1)), "axis of channels is missing"),
        (np.zeros((2, 1, 5, 5)), np.zeros((2, 5, 5, 1)), "channels come first there"),
        (np.zeros((2, 3)), np.zeros((3, 2)), "rows and columns are exchanged"),
        (np.zeros((3, 4)), GRID, "off by one along axis 1"),
        (np.zeros((3, 9)), GRID, "another length along axis 1"),
        (GRID[::-1], GRID, "reversed along axis 0"),
        (GRID[::-1, ::-1], GRID, "reversed along every axis"),
        (GRID.T, GRID, "transposed"),
        (-GRID, GRID, "opposite sign"),
        (GRID * np.nan, GRID, "NaN"),
        (np.array([1, 2, 3]), np.array([1.5, 2.25, 3.0]), "cut to whole numbers"),
        (GRID + 1.0 * (GRID > 6), GRID, "2 of 9 values are not, the first at index (2, 1), where yours is 8"),
        (GRID + (GRID == 5), GRID, "1 of 9 values is not, at index (1, 2), where yours is 6"),
    ],
)
def test_a_mistake_is_named(answer: Any, expected: Any, said: str) -> None:
    with pytest.raises(WrongError) as caught:
        compare(answer, expected)
    assert said in str(caught.value)
    if isinstance(expected, tuple):
        assert str(expected) not in str(caught.value)


def test_the_dtype_is_held_where_it_is_asked_for() -> None:
    ones = np.ones(3, "float32")
    compare(ones.astype("float64"), ones)
    with pytest.raises(WrongError, match="dtype is float64; float32 is asked for"):
        compare(ones.astype("float64"), ones, dtype=True)


def test_rounding_of_float32_is_no_mistake_and_tensors_are_read() -> None:
    import keras

    compare(keras.ops.convert_to_tensor([0.1, 0.2]), np.array([0.1, 0.2]))
    compare(keras.layers.Dense(1, kernel_initializer="ones")(np.ones((1, 2))), np.array([[2.0]]))
    compare(np.float32(0.1), 0.1)
    compare([4, 26, 26, 2], SHAPE)


def test_an_unknown_notebook_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="notebook='04': expected '01_convolution_by_hand' or"):
        exercises.load("04")


def test_loading_once_more_starts_anew() -> None:
    once, again = exercises.load(NAMES[0]), exercises.load(NAMES[0])
    once[0].passed = True
    assert not again[0].passed


def test_a_lesson_loads_no_keras_by_itself() -> None:
    for path in LESSONS:
        for node in ast.parse(path.read_text()).body:
            assert not (isinstance(node, ast.Import) and {a.name for a in node.names} & {"keras", "sklearn"}), path.name
