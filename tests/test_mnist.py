"""Loading and scaling: what comes back, and what a bad file is told."""

import hashlib
import io
import os
from pathlib import Path
import pickle
import re
import tracemalloc
from typing import Any
import zipfile

from convtour import load_dataset, prep_pixels
from convtour.digits.mnist import _idx_md5
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
import keras
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
Arrays = dict[str, Any]


def small(**changes: Any) -> Arrays:
    """Arrays in the layout of Keras's file, a few of them changed."""
    rng = np.random.default_rng(0)
    arrays: Arrays = {
        "x_train": rng.integers(0, 256, size=(6, 28, 28), dtype=np.uint8),
        "y_train": np.arange(6, dtype=np.uint8),
        "x_test": rng.integers(0, 256, size=(4, 28, 28), dtype=np.uint8),
        "y_test": np.array([9, 8, 7, 6], dtype=np.uint8),
    }
    return {name: array for name, array in {**arrays, **changes}.items() if array is not None}


def saved(path: Path, **changes: Any) -> Path:
    np.savez(path, **small(**changes))
    return path


def test_the_sample_is_8000_and_2000_images_with_one_hot_labels() -> None:
    x_train, y_train, x_test, y_test = load_dataset("sample")
    assert (x_train.shape, x_test.shape) == ((8000, 28, 28, 1), (2000, 28, 28, 1))
    assert (y_train.shape, y_test.shape) == ((8000, 10), (2000, 10))
    assert x_train.dtype == np.uint8
    assert y_train.dtype == np.float32
    assert (x_train.min(), x_train.max()) == (0, 255)
    assert set(np.unique(y_train)) == {0, 1}
    assert (y_train.sum(axis=1) == 1).all()


def test_the_sample_has_no_image_twice() -> None:
    x_train, _, x_test, _ = load_dataset("sample")
    assert len({image.tobytes() for image in np.concatenate([x_train, x_test])}) == 10_000


def test_the_sample_is_the_one_its_readme_describes() -> None:
    readme = (ROOT / "data" / "README.md").read_text()
    with np.load(ROOT / "data" / "mnist-10k.npz") as archive:
        for name in archive:
            assert f"| `{name}` | `{hashlib.sha256(archive[name].tobytes()).hexdigest()}` |" in readme


def test_the_sample_is_the_first_10000_of_the_training_set(full_mnist: Path) -> None:
    with np.load(full_mnist) as full:
        first = {
            image.tobytes(): label for image, label in zip(full["x_train"][:10_000], full["y_train"], strict=False)
        }
    x_train, y_train, x_test, y_test = load_dataset("sample")
    labels = np.concatenate([y_train, y_test]).argmax(axis=1)
    assert [first.pop(image.tobytes()) for image in np.concatenate([x_train, x_test])] == labels.tolist()
    assert not first


def test_a_path_is_loaded(tmp_path: Path) -> None:
    x_train, y_train, x_test, y_test = load_dataset(saved(tmp_path / "mine.npz"))
    assert (x_train.shape, x_test.shape) == ((6, 28, 28, 1), (4, 28, 28, 1))
    assert y_train.argmax(axis=1).tolist() == [0, 1, 2, 3, 4, 5]
    assert y_test.argmax(axis=1).tolist() == [9, 8, 7, 6]


def test_without_a_source_the_environment_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(load_dataset()[0]) == 8000
    monkeypatch.setenv("CONVTOUR_DATA", str(saved(tmp_path / "mine.npz")))
    assert len(load_dataset()[0]) == 6
    assert len(load_dataset("sample")[0]) == 8000
    monkeypatch.setenv("CONVTOUR_DATA", "")
    assert len(load_dataset()[0]) == 8000


def test_a_home_folder_in_a_path_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    saved(tmp_path / "mine.npz")
    assert len(load_dataset("~/mine.npz")[0]) == 6


def test_full_takes_the_file_that_the_environment_names(full_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVTOUR_DATA", str(full_mnist))
    x_train, _, x_test, y_test = load_dataset("full")
    assert (len(x_train), len(x_test)) == (60_000, 10_000)
    assert y_test[:3].argmax(axis=1).tolist() == [7, 2, 1]


def test_full_refuses_a_file_that_is_not_all_of_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVTOUR_DATA", str(saved(tmp_path / "mine.npz")))
    with pytest.raises(ValueError, match=r"mine\.npz.*6 \+ 4 images.*60000 \+ 10000"):
        load_dataset("full")


def test_full_comes_through_keras(full_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with np.load(full_mnist) as f:
        arrays = (f["x_train"], f["y_train"]), (f["x_test"], f["y_test"])
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: arrays)
    assert len(load_dataset("full")[0]) == 60_000


def test_a_failed_download_names_the_ways_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise Exception("URL fetch failure on mnist.npz: None -- no route to host")  # what Keras raises

    monkeypatch.setattr(keras.datasets.mnist, "load_data", fail)
    with pytest.raises(ConnectionError, match=r"could not be downloaded.*no route.*\"sample\".*path of an mnist\.npz"):
        load_dataset("full")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.npz: no such file.*\"sample\", \"full\" or the path"):
        load_dataset(tmp_path / "absent.npz")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"y_test": None}, r"y_test is not there\. Expected an \.npz"),
        ({"x_train": np.zeros((6, 28, 27), np.uint8)}, r"x_train is uint8 \(6, 28, 27\); expected uint8 \(n, 28, 28\)"),
        ({"x_train": np.zeros((6, 28, 28))}, r"x_train is float64 \(6, 28, 28\); expected uint8"),
        ({"x_test": np.zeros((0, 28, 28), np.uint8)}, r"x_test is uint8 \(0, 28, 28\).*n from 1 to 1,000,000"),
        ({"y_train": np.arange(5)}, r"y_train is int64 \(5,\); expected whole numbers \(6,\), one label for each"),
        ({"y_train": np.eye(6)}, r"y_train is float64 \(6, 6\); expected whole numbers \(6,\)"),
        ({"y_train": np.zeros(6, "m8[s]")}, r"y_train is timedelta64\[s\] \(6,\); expected whole numbers"),
        ({"y_train": np.zeros(6, bool)}, r"y_train is bool \(6,\); expected whole numbers"),
        ({"y_train": np.arange(6) + 5}, "y_train has labels from 5 to 10; expected 0 to 9"),
        ({"y_test": np.array([-1, 0, 1, 2])}, "y_test has labels from -1 to 2"),
        ({"y_train": np.array([{}] * 6)}, "y_train could not be read.*without pickled objects"),
        ({"x_train": np.array(["a"] * 6)}, r"x_train is <U1 \(6,\); expected uint8"),
        ({"x_train": np.uint8(3)}, r"x_train is uint8 \(\); expected uint8"),
    ],
)
def test_a_file_of_another_layout_is_told_what_is_wrong(tmp_path: Path, changes: Arrays, complaint: str) -> None:
    with pytest.raises(ValueError, match=rf"mine\.npz: {complaint}|mine\.npz: .*: {complaint}"):
        load_dataset(saved(tmp_path / "mine.npz", **changes))


class Trap:
    """An object that does harm when it is unpickled."""

    sprung = False

    def __reduce__(self) -> tuple[Any, ...]:
        return setattr, (Trap, "sprung", True)


def test_nothing_is_ever_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "trap.npz"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match=r"trap\.npz: not a complete \.npz archive"):
        load_dataset(path)
    np.savez(path, **small(y_train=np.array([Trap()] * 6, dtype=object)))
    with pytest.raises(ValueError, match=r"trap\.npz: y_train could not be read"):
        load_dataset(path)
    assert not Trap.sprung


def test_a_file_cut_short_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.npz"
    np.savez_compressed(path, **small())
    whole = path.read_bytes()
    for length in [0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut\.npz: not a complete \.npz archive"):
            load_dataset(path)


@given(st.data())
def test_a_damaged_file_gives_its_own_arrays_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damage") / "damaged.npz"
    np.savez_compressed(path, **small())
    whole = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    try:
        x_train, y_train, x_test, y_test = load_dataset(path)
    except ValueError as error:
        assert str(error).startswith(str(path)), error
    else:
        assert np.array_equal(x_train[..., 0], small()["x_train"])
        assert y_train.argmax(axis=1).tolist() == small()["y_train"].tolist()
        assert np.array_equal(x_test[..., 0], small()["x_test"])
        assert y_test.argmax(axis=1).tolist() == small()["y_test"].tolist()


@pytest.mark.parametrize("name", ["x_train", "y_test"])
def test_a_file_of_the_size_of_mnist_must_be_mnist(tmp_path: Path, full_mnist: Path, name: str) -> None:
    with np.load(full_mnist) as archive:
        arrays = {key: archive[key] for key in archive}
    arrays[name] = np.roll(arrays[name], 1, axis=0)
    path = tmp_path / "mislabelled.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=rf"mislabelled\.npz: .*is not MNIST: {name} differs"):
        load_dataset(path)


def test_what_has_the_size_of_mnist_must_be_mnist(tmp_path: Path) -> None:
    path = tmp_path / "blank.npz"
    blank = {"x_train": np.zeros((60_000, 28, 28), "uint8"), "x_test": np.zeros((10_000, 28, 28), "uint8")}
    np.savez_compressed(
        path, allow_pickle=False, **blank, y_train=np.zeros(60_000, "uint8"), y_test=np.zeros(10_000, "uint8")
    )
    with pytest.raises(ValueError, match=r"blank\.npz: .*is not MNIST: x_train, y_train, x_test, y_test differs"):
        load_dataset(path)


def header(shape: tuple[int, ...], dtype: str) -> bytes:
    """What an array file begins with."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "start", "complaint"),
    [
        ("x_train", header((2**17, 32, 32), "|u1"), r"x_train is uint8 \(131072, 32, 32\); expected uint8"),
        ("x_train", header((2**24,), "<f8"), r"x_train is float64 \(16777216,\); expected uint8"),
        ("x_train", header((6, 28, 28), "|u1"), "x_train could not be read"),
        ("y_train", header((2**27,), "|u1"), r"y_train is uint8 \(134217728,\); expected whole numbers \(6,\)"),
        ("y_train", header((2**24,), "|O"), r"y_train is object \(16777216,\); expected whole numbers"),
        ("y_train", b"\x93NUMPY\x02\x00\x00\x00\x00\x07", "y_train could not be read"),  # a header of 100 megabytes
    ],
)
def test_what_inflates_to_far_more_than_digits_is_refused_before_it_is_inflated(
    tmp_path: Path, name: str, start: bytes, complaint: str
) -> None:
    path = saved(tmp_path / "bomb.npz", **{name: None})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr(f"{name}.npy", start + bytes(2**27))
    tracemalloc.start()
    with pytest.raises(ValueError, match=rf"bomb\.npz: {complaint}") as caught:
        load_dataset(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10e6
    assert not re.search(r"pickle=|safe|trust|max_header", str(caught.value))


def test_no_file_may_hold_more_images_than_anyone_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convtour.digits.mnist._MOST_IMAGES", 5)
    with pytest.raises(ValueError, match=r"x_train is uint8 \(6, 28, 28\); expected .* with n from 1 to 5"):
        load_dataset(saved(tmp_path / "mine.npz"))


def test_members_that_are_no_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "bytes.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(f"{name}.npy", b"some bytes")
    with pytest.raises(ValueError, match=r"bytes\.npz: x_train could not be read"):
        load_dataset(path)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a file; expected the path"):
        load_dataset(tmp_path)


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *args: Any, **kwargs: Any) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError, match=r"mine\.npz"):
        load_dataset(saved(tmp_path / "mine.npz"))


def test_a_path_may_come_in_any_form_of_the_os_module(tmp_path: Path) -> None:
    path = saved(tmp_path / "mine.npz")
    assert len(load_dataset(str(path))[0]) == 6
    assert len(load_dataset(os.fsencode(path))[0]) == 6  # type: ignore[arg-type]


def test_an_idx_digest_is_that_of_the_file_format() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    file = bytes.fromhex("00000803 00000001 00000002 00000003 000102030405")
    assert _idx_md5(image) == hashlib.md5(file).hexdigest()


@given(hnp.arrays(np.uint8, hnp.array_shapes(max_dims=4)))
def test_scaling_maps_0_to_0_and_255_to_1_and_keeps_the_order(pixels: np.ndarray) -> None:
    before = pixels.copy()
    scaled, _ = prep_pixels(pixels, pixels)
    assert scaled.dtype == np.float32
    assert scaled.shape == pixels.shape
    assert np.array_equal(scaled, pixels.astype("float32") / 255)
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize(
    ("pixels", "complaint"),
    [
        (np.zeros(3, bool), "test holds bool; expected whole numbers 0 to 255"),
        (np.zeros(3, "float32"), "test holds float32; expected whole numbers 0 to 255"),
        (np.array([0, 256]), "test runs from 0 to 256"),
        (np.array([-1, 5]), "test runs from -1 to 5"),
    ],
)
def test_pixels_that_are_not_pixels_are_refused(pixels: np.ndarray, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        prep_pixels(np.zeros(1, "uint8"), pixels)


def test_pixels_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(TypeError, match="train holds <U1; expected real numbers"):
        prep_pixels(["a"], np.zeros(1, "uint8"))
