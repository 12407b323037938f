"""The command line: ``convtour``, or ``python -m convtour``."""

import argparse
from collections.abc import Sequence
import sys

from convtour import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the k-fold MNIST baseline from the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process if left out.

    Returns
    -------
    int
        Exit status: 0, or 1 when the data, a folder or the backend cannot be used or a worker dies, or 130 when
        interrupted.

    Examples
    --------
    >>> main(["--data", "no-such-file.npz"])  # doctest: +ELLIPSIS
    convtour ...
    1
    """
    options = _parser().parse_args(argv)
    try:
        from convtour.harness import run_test_harness
        from convtour.machine import versions

        print(", ".join(f"{name} {version}" for name, version in versions().items()), flush=True)
        run_test_harness(
            options.data,
            n_folds=options.folds,
            epochs=options.epochs,
            seed=options.seed,
            verbose="bar",
            out_dir=options.out,
            n_jobs=options.jobs,
            resume_dir=options.resume,
        )
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        print(f"convtour: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("convtour: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="convtour",
        description="Evaluate a small convolutional network on MNIST by k-fold cross-validation. Prints the accuracy "
        "of each held-out fold as it comes, then mean and standard deviation, in percent; saves the learning curves "
        "and a box plot of the accuracies, each with its description in words.",
        epilog="The sample needs no network and takes about a minute on two cores; the full data several minutes. "
        "KERAS_BACKEND chooses the backend (tensorflow, jax, torch), TQDM_DISABLE=1 hides the progress bar.",
    )
    parser.add_argument(
        "--data",
        metavar="sample|full|PATH",
        help="sample: 8,000 + 2,000 digits that come with convtour; full: all 60,000 + 10,000, from the file that "
        "CONVTOUR_DATA names or else downloaded once by Keras; or the path of an mnist.npz (default: what the "
        "environment variable CONVTOUR_DATA says, or sample)",
    )
    parser.add_argument("--folds", type=int, default=5, metavar="K", help="number of folds, at least 2 (default: 5)")
    parser.add_argument("--epochs", type=int, default=10, metavar="N", help="passes over the data (default: 10)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="seed of the first fold's model (default: 1)")
    parser.add_argument(
        "--out",
        metavar="DIR",
        default="convtour-results",
        help="folder for the figures, their descriptions and results.json (default: convtour-results)",
    )
    parser.add_argument("--jobs", type=int, metavar="N", help="number of workers (default: one on each core)")
    parser.add_argument(
        "--resume",
        metavar="DIR",
        help="folder that keeps every finished epoch; with the same folder an interrupted run goes on (default: none)",
    )
    parser.add_argument("--version", action="version", version=f"convtour {__version__}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
