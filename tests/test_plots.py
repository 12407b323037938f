"""Pictures of arrays: what is drawn, and that the words are read from it."""

from collections.abc import Callable

from convtour import Picture, plot_digits, plot_maps, plot_signals
from matplotlib.figure import Figure
import numpy as np
import pytest

EDGE = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot_maps([EDGE, 2 * EDGE], ["one", "two"], diverging=True),
        lambda: plot_signals({"up": [1, 2, 3], "down": [3, 2, 1]}),
    ],
    ids=["maps", "signals"],
)
def test_a_picture_has_words_and_something_is_drawn(draw: Callable[[], Picture]) -> None:
    picture = draw()
    assert isinstance(picture, Figure)
    assert len(picture.description) > 40
    assert picture.description.endswith(".")
    picture.canvas.draw()


def test_digits_are_drawn_under_their_titles() -> None:
    images = np.zeros((3, 4, 4, 1), "uint8")
    images[1] = 255
    images[2, :2] = 255
    picture = plot_digits(images, ["none", "all", 7], columns=2)
    assert picture.description == "3 images, with their share of ink: none (0 %), all (100 %), 7 (50 %)."
    assert plot_digits(images / 255, ["none", "all", 7]).description == picture.description


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
    images = [axes.images[0] for axes in picture.axes if axes.images and axes.get_title("center")]
    assert {image.get_clim() for image in images} == {(-4, 4)}
    assert len(picture.axes) == 3
    assert "one -2.00 / 0.00 / 2.00, two -4.00 / 0.00 / 4.00" in picture.description


def test_signals_are_told_apart_without_colour() -> None:
    (axes,) = plot_signals({name: [1, 2] for name in "abcde"}).axes
    looks = [(str(line._dash_pattern), str(line.get_marker())) for line in axes.lines]  # type: ignore[attr-defined]
    assert len(set(looks)) == 5
    assert axes.get_legend() is not None


def test_a_signal_may_have_gaps() -> None:
    words = plot_signals({"broken": [1, np.nan, 3]}).description
    assert words == "Signals over 3 steps: broken from 1.00 to 3.00, highest at step 2, mean 2.00."


@pytest.mark.parametrize(
    ("draw", "complaint"),
    [
        (lambda: plot_maps([EDGE], []), "1 entries of shapes .* and 0 titles"),
        (lambda: plot_maps([[1, 2]], ["flat"]), r"expected at least one map of shape \(rows, columns\)"),
        (lambda: plot_maps([EDGE, EDGE * np.nan], "ab"), r"maps\[1\] holds NaN"),
        (lambda: plot_signals({}), "signals={}: expected a mapping with 1 to 5"),
        (lambda: plot_signals({"a": [[1]]}), r"signals\['a'\] has shape \(1, 1\); expected \(steps,\)"),
        (lambda: plot_signals({"a": [np.nan, np.nan]}), "with at least one number"),
        (lambda: plot_signals({"a": [1, np.inf]}), r"signals\['a'\] holds NaN, infinite"),
        (lambda: plot_digits(np.zeros((1, 4, 4)), "a", columns=0), "columns=0: expected at least 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw: Callable[[], Picture], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        draw()
