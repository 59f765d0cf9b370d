"""The look of figures: limits that the book relies on, and bands that mean what they say."""

import base64
import io

import matplotlib as mpl
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from lvutils.plot import COLORS, DPI, WIDTH, band, use_style, words
from lvutils.press.notebook import small_png
from lvutils.stats import mean_interval

mpl.use("Agg")


@pytest.fixture
def plt():
    import matplotlib.pyplot as plt

    with mpl.rc_context():
        use_style()
        yield plt
        plt.close("all")


def png_of(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer)
    buffer.seek(0)
    return mpl.image.imread(buffer)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3)])
def test_a_figure_is_as_wide_as_the_page_and_opaque_white_at_its_edge(plt, shape):
    figure, axes = plt.subplots(*shape)
    for ax in np.ravel(axes):
        ax.plot([0, 1], [0, 1])
    image = png_of(figure)
    height, width = image.shape[:2]
    assert width == round(DPI * WIDTH) <= 1400
    assert height < width
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert (edge == 1).all()


def test_a_figure_in_a_kernel_is_shown_at_its_own_size():
    """Jupyter would draw it twice, to crop it."""
    lines = (
        "import matplotlib.pyplot as plt",
        "from lvutils.plot import use_style",
        "use_style()",
        "plt.subplots(figsize=(6.4, 2))",
        "plt.show()",
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("\n".join(lines))])
    NotebookClient(notebook, kernel_name="python3").execute()
    (output,) = notebook.cells[0].outputs
    image = mpl.image.imread(io.BytesIO(base64.b64decode(output["data"]["image/png"])))
    assert image.shape[:2] == (2 * DPI, 6.4 * DPI)


def test_a_figure_weighs_little_enough_for_eight_in_a_chapter(plt):
    figure, ax = plt.subplots()
    ax.plot(np.random.default_rng(0).normal(size=(200, 5)).cumsum(0))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    stored, width = small_png(base64.b64encode(buffer.getvalue()).decode())
    assert width == 100 * WIDTH  # pixels of the page, of which each has two by two
    assert len(stored) < 600_000 / 8


def test_lines_differ_in_more_than_colour(plt):
    ax = plt.subplots()[1]
    lines = [ax.plot([0, 1])[0] for _ in range(7)]
    assert len({line.get_color() for line in lines}) == 7
    assert len({line.get_linestyle() for line in lines[:4]}) == 4


def test_each_role_has_a_colour_of_its_own_that_shows_on_white():
    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in mpl.colors.to_rgb(colour)]
        return np.dot([0.2126, 0.7152, 0.0722], linear)

    assert len(set(COLORS.values())) == len(COLORS)
    assert all(1.05 / (luminance(colour) + 0.05) > 2 for colour in COLORS.values())


def test_pictures_are_drawn_in_a_perceptual_map(plt):
    assert plt.subplots()[1].imshow([[0, 1]]).get_cmap().name == "viridis"


def test_the_style_can_be_set_again_without_change(plt):
    before = dict(mpl.rcParams)
    use_style()
    assert dict(mpl.rcParams) == before


def test_a_band_is_the_interval_of_the_mean_at_every_point(plt):
    samples = np.random.default_rng(0).normal(size=(6, 4)) * [1, 2, 3, 0] + [0, 1, 2, 3]
    x = np.array([0.0, 1.0, 2.5, 4.0])
    ax = plt.subplots()[1]
    band(ax, x, samples, label="ours", color=COLORS["method"], linestyle=":")
    expected = [mean_interval(column) for column in samples.T]
    (line,), (area,) = ax.lines, ax.collections
    np.testing.assert_array_equal(line.get_xdata(), x)
    np.testing.assert_array_equal(line.get_ydata(), [i.mean for i in expected])
    outline = area.get_paths()[0].vertices
    assert sorted(set(outline[:, 0])) == x.tolist()
    np.testing.assert_allclose([outline[outline[:, 0] == at, 1].min() for at in x], [i.low for i in expected])
    np.testing.assert_allclose([outline[outline[:, 0] == at, 1].max() for at in x], [i.high for i in expected])
    assert (line.get_label(), line.get_color(), line.get_linestyle()) == ("ours", COLORS["method"], ":")
    assert mpl.colors.same_color(area.get_facecolor()[0, :3], COLORS["method"])


@pytest.mark.parametrize("samples", [[[1.0, 2.0]], [1.0, 2.0]])
def test_a_band_needs_two_runs(plt, samples):
    ax = plt.subplots()[1]
    with pytest.raises(ValueError, match="at least 2 values"):
        band(ax, [0, 1], samples, label="one run", color="black")


@pytest.mark.parametrize("text", ["$5 and $6", "a_b^c \\frac {x}", "<b>", "_hidden", "שלום עולם", "50 % \\$", "-1"])
def test_a_readers_word_is_drawn_as_it_is(plt, text):
    figure, ax = plt.subplots()
    ax.plot([0, 1], label=words(text))
    legend = ax.legend()
    (drawn,) = legend.get_texts()
    seen, is_formula = drawn._preprocess_math(drawn.get_text())
    assert (seen.lstrip("\u200b"), is_formula) == (text, False)
    figure.canvas.draw()


def test_a_very_long_word_of_a_reader_is_cut_on_one_line():
    assert words("word \n" * 50, most=12) == "word word w…"
