"""Stored frames that a reader steps through: no script, the keyboard, a still picture."""

import base64
import io

import numpy as np
import pytest
from matplotlib.image import imread

from lvutils.frames import Frames, mosaic

RAMP = np.linspace(0, 1, 6)[:, None, None] * np.ones((6, 8, 10))


def frames(images=RAMP, labels="abcdef"):
    return Frames(images, list(labels), legend="brightness <1>", alt="a grey field")


def test_the_bundle_holds_all_frames_and_a_still_and_is_the_same_each_time():
    bundle = frames()._repr_mimebundle_()
    assert bundle == frames()._repr_mimebundle_()
    source = bundle["text/html"].split("base64,")[1].split('"')[0]
    strip = imread(io.BytesIO(base64.b64decode(source)))[..., 0]
    assert strip.reshape(6, 8, 10) == pytest.approx(RAMP, abs=1 / 250)
    still = imread(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert still.shape[1] == 1280
    assert "script" not in bundle["text/html"]
    assert "brightness &lt;1&gt;" in bundle["text/html"]
    assert 'alt="a grey field"' in bundle["text/html"]


def test_colour_frames():
    assert "stage" in frames(np.repeat(RAMP[..., None], 3, axis=3))._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (RAMP[0], "a", r"got \(8, 10\)"),
        (RAMP[..., None], "abcdef", "height, width, 3"),
        (RAMP[:1], "a", "2 to 40 frames"),
        (RAMP, "abc", "got 6, 3"),
        (RAMP * 2, "abcdef", "between 0 and 1, got 0 to 2"),
        (RAMP * np.nan, "abcdef", "between 0 and 1"),
    ],
)
def test_what_does_not_fit_is_named(images, labels, message):
    with pytest.raises(ValueError, match=message):
        frames(images, labels)


@pytest.mark.parametrize("colours", [(), (3,)])
def test_a_mosaic_keeps_each_picture_and_draws_white_lines_between(colours):
    pictures = np.random.default_rng(0).random((2, 3, 4, 5, *colours)) / 2
    whole = mosaic(pictures)
    assert whole.shape == (9, 17, *colours)
    assert (whole[:4, 6:11] == pictures[0, 1]).all()
    assert (whole[5:, 12:] == pictures[1, 2]).all()
    assert (whole[4] == 1).all()
    assert (whole[:, 5] == 1).all()
    assert (whole < 1).sum() == pictures.size
    assert np.unique(mosaic(pictures, levels=5)).tolist() == [0, 0.25, 0.5, 1]
    assert abs(mosaic(pictures, levels=5) - whole).max() <= 0.125
    with pytest.raises(ValueError, match=r"got \(2, 3\)"):
        mosaic(np.zeros((2, 3)))
