"""Pictures of arrays: what is drawn, and that the words are read from it."""

from collections.abc import Callable
import re
from typing import Any

from convtour import Picture, plot_digits, plot_histogram, plot_maps, plot_signals
from convtour.plots import spoken
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
import numpy as np
import pytest
from tolerances import agree

EDGE = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])
DIGIT = np.outer(np.arange(28), np.arange(28)) / 729
FRAMED = np.pad(EDGE.repeat(4, 0).repeat(4, 1), 1, constant_values=9)


def shown(picture: Picture) -> list[AxesImage]:
    return [axes.images[0] for axes in picture.axes if axes.images and axes.get_title("center")]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot_maps([EDGE, 2 * EDGE], ["one", "two"], diverging=True),
        lambda: plot_maps([DIGIT, EDGE], ["one", "two"], shared_scale=False),
        lambda: plot_signals({"up": [1, 2, 3], "down": [3, 2, 1]}),
        lambda: plot_histogram([1, 2, 2], {"ours": 2}),
    ],
    ids=["maps", "scales", "signals", "histogram"],
)
def test_a_picture_has_words_and_something_is_drawn(draw: Callable[[], Picture]) -> None:
    picture = draw()
    assert isinstance(picture, Figure)
    assert len(picture.description) > 40
    assert picture.description.endswith(".")
    assert picture.get_figwidth() <= 7
    picture.canvas.draw()


def test_digits_are_drawn_under_their_titles() -> None:
    images = np.zeros((3, 4, 4, 1), "uint8")
    images[1] = 255
    images[2, :2] = 255
    picture = plot_digits(images, ["none", "all", 7], columns=2)
    assert picture.description == "3 images, with their share of ink: none (0 %), all (100 %), 7 (50 %)."
    assert plot_digits(images / 255, ["none", "all", 7]).description == picture.description


def test_a_long_title_is_broken_into_lines_that_fit_and_read_as_one() -> None:
    long = plot_digits(np.zeros((8, 4, 4)), ["says 4 for certain, is a 9"] * 8)
    assert max(map(len, long.axes[0].get_title().splitlines())) <= 12
    assert "ink: says 4 for certain, is a 9 (0 %), " in long.description
    assert long.get_figheight() > plot_digits(np.zeros((8, 4, 4)), "abcdefgh").get_figheight()


@pytest.mark.parametrize(
    ("shape", "titles"), [((3, 4, 4, 3), "abc"), ((4, 4), "abcd"), ((3, 4, 4), "ab"), ((0, 4, 4), ""), ((1, 0, 4), "a")]
)
def test_images_that_cannot_be_drawn_are_refused(shape: tuple[int, ...], titles: str) -> None:
    with pytest.raises(ValueError, match=r"images has shape .* titles; expected \(n, rows, columns\)"):
        plot_digits(np.zeros(shape), titles)


@pytest.mark.parametrize("image", [np.full((1, 4, 4), 130.0), np.full((1, 4, 4), 256), np.full((1, 4, 4), -1)])
def test_images_out_of_range_are_refused(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"images run from .*; expected whole numbers 0 to 255"):
        plot_digits(image, "a")


def test_maps_share_one_scale_and_have_a_colour_bar() -> None:
    picture = plot_maps([EDGE, 2 * EDGE], ["one", "two"], diverging=True)
    assert {image.get_clim() for image in shown(picture)} == {(-4, 4)}
    assert len(picture.axes) == 3
    words = "one: -2.00 / 0.00 / 2.00; two: -4.00 / 0.00 / 4.00. One scale: -4.00 to 4.00."
    assert picture.description == f"Maps, lowest / mean / highest; {words}"


def test_each_map_may_have_its_own_scale_and_a_digit_stays_grey() -> None:
    picture = plot_maps([DIGIT, EDGE, 2 * EDGE], ["digit", "kernel", "map"], diverging=True, shared_scale=False)
    digit, kernel, edges = shown(picture)
    assert [image.get_clim() for image in (digit, kernel, edges)] == [(0, 1), (-2, 2), (-4, 4)]
    assert [image.get_cmap().name for image in (digit, kernel)] == ["gray_r", "RdBu_r"]
    assert len(picture.axes) == 3
    assert [axes.get_xlabel() for axes in picture.axes] == ["0 to 1", "−2 to 2", "−4 to 4"]
    assert "kernel: -2.00 / 0.00 / 2.00, shades from -2.00 to 2.00; map: -4.00" in picture.description


def test_a_constant_map_is_not_blank() -> None:
    (image,) = shown(plot_maps([np.full((3, 3), 1 / 9)], ["blur"]))
    assert image.get_clim() == (0, 1 / 9)


def test_the_scale_leaves_a_border_out_but_not_of_a_small_map() -> None:
    assert shown(plot_maps([FRAMED], ["framed"], diverging=True))[0].get_clim() == (-9, 9)
    assert shown(plot_maps([FRAMED], ["framed"], diverging=True, border=1))[0].get_clim() == (-2, 2)
    picture = plot_maps([FRAMED, 3 * EDGE], ["framed", "edge"], diverging=True, border=1)
    assert {image.get_clim() for image in shown(picture)} == {(-6, 6)}
    assert picture.description.endswith("6.00. Left out of it: 1 at each edge.")
    assert "framed: -2.00 / " in picture.description
    assert " / 9.00; edge" in picture.description


def test_a_kernel_beside_a_digit_is_inset_and_its_numbers_are_written_into_it() -> None:
    digit, kernel = plot_maps([DIGIT, EDGE], ["digit", "kernel"], shared_scale=False).axes
    assert np.ptp(digit.get_xlim()) == 28
    assert np.ptp(kernel.get_xlim()) == pytest.approx(5)
    assert not digit.texts
    written = {text.get_position(): float(text.get_text().replace("−", "-")) for text in kernel.texts}
    assert written == {(column, row): EDGE[row, column] for row in range(3) for column in range(3)}
    assert {text.get_color() for text in kernel.texts} == {"black", "white"}


def test_numbers_that_do_not_fit_are_not_written() -> None:
    assert not plot_maps([EDGE / 7] * 8, "abcdefgh").axes[0].texts


def test_each_signal_has_a_row_of_its_own_to_one_scale() -> None:
    rows = plot_signals({"input": [0, 5], "half": [0, 2.5]}).axes
    assert [axes.get_title("left") for axes in rows] == ["input", "half"]
    assert rows[0].get_position().y0 > rows[1].get_position().y0
    assert rows[0].get_ylim() == rows[1].get_ylim()
    assert [axes.get_xlabel() for axes in rows] == ["", "step"]


@pytest.mark.parametrize(("steps", "stems"), [(60, 1), (61, 0)])
def test_a_short_signal_is_drawn_as_stems_and_a_long_one_as_a_line(steps: int, stems: int) -> None:
    (axes,) = plot_signals({"a": np.ones(steps)}).axes
    assert len(axes.collections) == stems


def test_now_is_marked_and_what_comes_after_is_shaded() -> None:
    picture = plot_signals({"a": range(9), "b": range(8)}, now=6)
    for axes in picture.axes:
        assert np.asarray(axes.lines[-1].get_xdata()).tolist() == [6, 6]
        assert axes.patches[0].get_extents().x0 == axes.transData.transform((6, 0))[0]
        assert axes.patches[0].get_extents().x1 == axes.transData.transform((8.5, 0))[0]
    assert picture.description.startswith("2 signals over 9 steps, now at step 6 and what comes after shaded. a: from")


def test_a_stretch_of_a_signal_is_marked() -> None:
    picture = plot_signals({"a": range(9), "b": range(9)}, marked={"b": (2, 4)})
    assert [len(axes.patches) for axes in picture.axes] == [0, 1]
    assert "; b, marked from step 2 to 4: from 0.00" in picture.description


def test_a_signal_may_have_gaps() -> None:
    words = plot_signals({"broken": [1, np.nan, 3]}).description
    assert words == "1 signal over 3 steps. broken: from 1.00 to 3.00, highest at step 2, mean 2.00."


@pytest.mark.parametrize(
    "name", ["plot", "stem", "imshow", "stairs", "axvline", "axvspan"], ids=lambda name: f"a bug in {name}"
)
def test_the_words_follow_what_is_drawn_and_not_what_was_given(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def words() -> list[str]:
        pictures = (
            plot_signals({"a": [1, 2, 4]}, now=1),
            plot_signals({"a": np.arange(99)}, now=1),
            plot_maps([EDGE + 1], "a"),
            plot_digits([EDGE / 4 + 0.5], "a"),
            plot_histogram([1, 2, 2], {"ours": 2}),
        )
        return [picture.description for picture in pictures]

    right, draw = words(), getattr(Axes, name)
    monkeypatch.setattr(Axes, name, lambda self, x, *args, **look: draw(self, np.asarray(x) / 2, *args, **look))
    assert words() != right


def test_a_histogram_counts_its_values_and_marks_ours() -> None:
    picture = plot_histogram([3, 4, 4, 5, 5, 5, 6], {"ours": 5, "theirs": 3.5}, xlabel="heads")
    (axes,) = picture.axes
    heights, edges, _ = axes.patches[0].get_data()  # type: ignore[attr-defined]
    assert heights.tolist() == [1, 2, 3, 1]
    assert edges.tolist() == [2.5, 3.5, 4.5, 5.5, 6.5]
    assert {"ours", "theirs"} == {text.get_text() for text in axes.texts}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("heads", "how many")
    assert picture.description == (
        "Histogram of 7 values, balanced at: 4.57. Middle 95 %, shaded: 3.15 to 5.85. Marked, ours: 5.00; theirs: 3.50."
    )


@pytest.mark.parametrize("values", [np.full(3, 7.0), np.linspace(0, 1, 999) ** 2, np.arange(150) / 10])
def test_a_histogram_has_some_thirty_bars_that_hold_every_value(values: np.ndarray) -> None:
    heights, edges, _ = plot_histogram(values, {}).axes[0].patches[0].get_data()  # type: ignore[attr-defined]
    assert heights.sum() == len(values)
    assert 25 <= len(heights) <= 35
    assert np.ptp(np.diff(edges)) < 1e-9


@pytest.mark.parametrize(
    ("tolerance", "text", "held"),
    [
        (None, "0.1234", ""),
        (0.3, "0.12", " (each ± 0.3)"),
        (0.05, "0.12", " (each ± 0.05)"),
        (0.5, "0.1", " (each ± 0.5)"),
        (5, "0", " (each ± 5)"),
        (0.00001, "0.123400", " (each ± 0.00001)"),
    ],
)
def test_a_number_is_rounded_to_a_fifth_of_its_tolerance(tolerance: float | None, text: str, held: str) -> None:
    say, ending = spoken("tolerance", tolerance, 4)
    assert (say(0.1234), ending) == (text, held)
    assert not say(-1e-9).startswith("-")


TOLERANT: dict[str, Callable[[float], Picture]] = {
    "maps": lambda by: plot_maps([EDGE + by, DIGIT + by], ["kernel 3", "5"], tolerance=0.1),
    "own scales": lambda by: plot_maps([EDGE + by, DIGIT + by], ["kernel 3", "5"], shared_scale=False, tolerance=0.1),
    "signals": lambda by: plot_signals(
        {"weight 1": [0, 1 + by], "weight 2": [1, 1 - by]}, now=1, marked={"weight 2": (0, 1)}, tolerance=0.1
    ),
    "histogram": lambda by: plot_histogram([by, 1 + by, 2 + by], {"seed 1": 1 + by, "seed 2": 2}, tolerance=0.1),
}


@pytest.mark.parametrize("draw", TOLERANT.values(), ids=TOLERANT)
def test_measured_numbers_are_held_to_their_tolerance_and_all_else_exactly(draw: Callable[[float], Picture]) -> None:
    words = draw(0).description
    assert agree(draw(0.08).description, words)
    assert not agree(draw(0.2).description, words)
    for exact in re.findall(r"(?:kernel|weight|seed|step|over|of) (\d)", words):
        assert not agree(re.sub(rf"(kernel|weight|seed|step|over|of) {exact}", r"\1 8", words), words)


@pytest.mark.parametrize(
    ("draw", "complaint"),
    [
        (lambda: plot_maps([EDGE], []), "1 entries of shapes .* and 0 titles"),
        (lambda: plot_maps([[1, 2]], ["flat"]), r"expected at least one map of shape \(rows, columns\)"),
        (lambda: plot_maps([EDGE, EDGE * np.nan], "ab"), r"maps\[1\] holds NaN"),
        (lambda: plot_signals({}), "signals={}: expected a mapping with 1 to 8"),
        (lambda: plot_signals({"a": [[1]]}), r"signals\['a'\] has shape \(1, 1\); expected \(steps,\)"),
        (lambda: plot_signals({"a": [np.nan, np.nan]}), "with at least one number"),
        (lambda: plot_signals({"a": [1, np.inf]}), r"signals\['a'\] holds NaN, infinite"),
        (lambda: plot_signals({"a": [1, 2]}, now=2), "now=2: expected one of 2 steps, counted from 0"),
        (lambda: plot_signals({"a": [1, 2]}, marked={"a": (1, 0)}), r"marked\['a'\]=\(1, 0\): expected the first and"),
        (lambda: plot_signals({"a": [1]}, tolerance=0), "tolerance=0: expected a positive number"),
        (lambda: plot_digits(np.zeros((1, 4, 4)), "a", columns=0), "columns=0: expected at least 1"),
        (lambda: plot_histogram([], {}), r"values has shape \(0,\); expected \(n,\), with at least one number"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw: Callable[[], Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        draw()
