"""Render MNIST's digits as if each had been written on a sheet and photographed.

Usage: python tools/render_digits.py FOLDER [--seed N] [--count N]    writes PNG files to look at

How a picture is made, every number drawn anew from the seed:

1. The 28x28 digit is enlarged 2.5 to 9 times, slanted by up to 12 degrees and turned by up to 6, and put at a random
   place of a page of 150 to 360 pixels a side, whole.
2. Its stroke is made up to one MNIST pixel thinner or thicker (the surrounding minimum or maximum), and its edge as
   sharp as the enlarged picture allows.
3. Ink covers paper with 55 to 100 percent of the way from the paper's grey to black; on half of the pages light ink
   covers dark paper.
4. The light falls from one side, down to between all and 45 percent on the other, and fades towards the corners by up
   to a third.
5. The paper has a grain, and the camera noise. Every fourth page is in colour.

Whatever prepares digits is meant to be measured with these pages, so nothing here is shared with it.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Page = npt.NDArray[np.uint8]


def render(images: npt.NDArray[np.uint8], seed: int) -> list[Page]:
    """Render uint8 digits ``(n, 28, 28)`` or ``(n, 28, 28, 1)``, white on black, as pages ``(H, W)`` or ``(H, W, 3)``.

    Digit number i depends on the seed and on i alone.
    """
    return [page(image.reshape(28, 28), np.random.default_rng([seed, number])) for number, image in enumerate(images)]


def page(digit: npt.NDArray[np.uint8], rng: np.random.Generator) -> Page:
    """One page, as the module describes."""
    size = rng.integers(150, 361, 2)
    cover = written(digit, size, rng)
    cover *= rng.uniform(0.55, 1)
    paper, ink = rng.uniform(0.7, 1), 0.02
    if rng.random() < 0.5:
        paper, ink = rng.uniform(0.03, 0.3), 1.0
    grey = paper + (ink - paper) * cover
    grain = np.asarray(
        Image.fromarray(rng.normal(size=(-(-size[0] // 6), -(-size[1] // 6))).astype(np.float32)).resize(
            (int(size[1]), int(size[0])), Image.Resampling.BICUBIC
        )
    )
    grey = grey * light(size, rng) * (1 + rng.uniform(0, 0.03) * grain)
    grey = grey + rng.uniform(0, 0.03) * rng.normal(size=grey.shape)
    if rng.random() < 0.25:
        grey = grey[..., np.newaxis] * rng.uniform(0.8, 1, 3)
    return np.round(255 * np.clip(grey, 0, 1)).astype(np.uint8)


def written(
    digit: npt.NDArray[np.uint8], size: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """How much ink covers each pixel of the page, 0 to 1."""
    scale = rng.uniform(2.5, min(9, min(size) / 25))
    slant, turn = np.tan(np.radians(rng.uniform(-12, 12))), np.radians(rng.uniform(-6, 6))
    forward = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ [[1, slant], [0, 1]]
    rows, columns = np.nonzero(digit > 60)
    corners = forward @ (np.array([columns, rows]) + 0.5)  # x, y
    grow = scale * rng.uniform(-0.5, 0.5)
    room = 2 + max(0, grow)
    low, high = room - corners.min(axis=1), size[::-1] - room - corners.max(axis=1)
    shift = rng.uniform(low, np.maximum(low, high))
    back = np.linalg.inv(forward)
    affine = np.column_stack([back, -back @ shift]).ravel().tolist()
    sheet = Image.fromarray(digit).transform(
        (int(size[1]), int(size[0])), Image.Transform.AFFINE, affine, Image.Resampling.BICUBIC
    )
    steps = round(abs(grow))
    if steps:
        sheet = sheet.filter((ImageFilter.MaxFilter if grow > 0 else ImageFilter.MinFilter)(2 * steps + 1))
    cover: npt.NDArray[np.float64] = np.clip(0.5 + (np.asarray(sheet) / 255 - 0.45) * scale / 1.5, 0, 1)
    return cover


def light(size: npt.NDArray[np.int64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Light over the page, at most 1: from one side, and fading towards the corners."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, int(length)) for length in size), indexing="ij")
    towards, darkest = rng.uniform(0, 2 * np.pi), rng.uniform(0.45, 1)
    along = (x * np.cos(towards) + y * np.sin(towards)) / (abs(np.cos(towards)) + abs(np.sin(towards)))
    gradient = darkest + (1 - darkest) * (along + 1) / 2
    corners: npt.NDArray[np.float64] = gradient * (1 - rng.uniform(0, 0.33) * (x * x + y * y) / 2)
    return corners


def main(arguments: Iterable[str] | None = None) -> None:
    from convtour import load_dataset

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=24)
    options = parser.parse_args(None if arguments is None else list(arguments))
    options.folder.mkdir(parents=True, exist_ok=True)
    _, _, images, labels = load_dataset("sample")
    pages = render(images[: options.count], options.seed)
    for number, (drawn, label) in enumerate(zip(pages, labels.argmax(axis=1), strict=False)):
        Image.fromarray(drawn).save(options.folder / f"{number:04d}-is-{label}.png")


if __name__ == "__main__":
    main()
