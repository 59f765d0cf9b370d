"""Data sets by name, their registry, and readers' own tables."""

import hashlib
import re

import numpy as np
import pytest

from lvutils import data
from lvutils.data import DataError, Dataset, load, registry
from lvutils.paths import DATA
from lvutils.tables import load_table

FIELDS = {"title", "origin", "licence", "unit", "embedded", "network", "sha256"}
OFFLINE = sorted(name for name, card in registry().items() if not card["network"])


@pytest.fixture
def table(tmp_path):
    def write(text, name="mine.csv", **options):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_table(path, **options)

    return write


# --- the registry -------------------------------------------------------------------------------------------------


def test_every_entry_has_the_documented_fields():
    for name, card in registry().items():
        assert set(card) == FIELDS, name
        for field in ("title", "origin", "licence", "unit"):
            assert isinstance(card[field], str), (name, field)
            assert card[field], (name, field)
        assert isinstance(card["network"], bool), name


def test_every_entry_is_hashed_unless_it_is_fetched():
    for name, card in registry().items():
        if card["sha256"] is None:
            assert card["network"], name
        else:
            assert re.fullmatch("[0-9a-f]{64}", card["sha256"]), name


def test_embedded_files_exist_and_have_their_hashes():
    for name, card in registry().items():
        if card["embedded"] is not None:
            assert hashlib.sha256((DATA / card["embedded"]).read_bytes()).hexdigest() == card["sha256"], name


@pytest.mark.parametrize("name", OFFLINE)
def test_a_data_set_loads_offline_with_its_hash_and_in_its_documented_form(name):
    dataset = load(name)
    assert dataset.name == name
    assert dataset.sha256 == dataset.card["sha256"] == registry()[name]["sha256"]
    assert dataset.x.dtype == np.float64
    assert dataset.x.shape == (len(dataset.x), np.prod(dataset.shape))
    assert np.isfinite(dataset.x).all()
    if dataset.y is not None:
        assert dataset.y.dtype == np.int64
        assert np.unique(dataset.y).tolist() == list(range(len(dataset.y_names)))
    assert len(dataset.columns) in (0, dataset.x.shape[1])


def test_personality_items_are_those_answered_in_full():
    items = load("bfi")
    assert items.x.shape == (2436, 25)
    assert np.unique(items.x).tolist() == [0, 1, 2, 3, 4, 5]
    assert items.columns[0] == "A1"
    assert items.columns[-1] == "O5"


def test_patients_are_halved_by_the_progress_of_their_disease():
    patients = load("diabetes")
    assert abs(patients.y.mean() - 0.5) < 0.01
    assert patients.columns[:4] == ("age", "sex", "bmi", "bp")


def test_mortgages_keep_complete_applications_and_count_the_denied():
    mortgages = load("hdma")
    assert mortgages.x.shape == (2380, 12)
    assert mortgages.y.sum() == 285
    assert mortgages.y_names == ("no", "yes")
    binary = [c for c in mortgages.columns if c not in {"dir", "hir", "lvr", "ccs", "mcs", "uria"}]
    assert np.isin(mortgages.x[:, [mortgages.columns.index(c) for c in binary]], (0, 1)).all()


def test_arrests_count_the_released_by_colour_and_year():
    arrests = load("arrests")
    assert arrests.x.shape == (5226, 7)
    assert arrests.y.sum() == 4334
    assert arrests.x[:, 0].sum() == 1288
    assert np.unique(arrests.x[:, 1]).tolist() == list(range(1997, 2003))
    binary = [arrests.columns.index(c) for c in ("black", "male", "employed", "citizen")]
    assert np.isin(arrests.x[:, binary], (0, 1)).all()


def test_the_challenge_has_both_potential_outcomes_with_noise_of_one_about_their_means():
    acic = load("acic2016")
    assert acic.x.shape == (4802, 58 + 10 * 5)
    assert acic.columns[57:60] == ("x_58", "z_1", "y0_1")
    column = dict(zip(acic.columns, acic.x.T, strict=True))
    for k in range(1, 11):
        assert set(column[f"z_{k}"]) == {0.0, 1.0}
        for arm in "01":
            assert abs((column[f"y{arm}_{k}"] - column[f"mu{arm}_{k}"]).std() - 1) < 0.05
    assert (column["mu1_1"] - column["mu0_1"]).mean() == pytest.approx(2.13, abs=0.005)


def test_the_census_has_its_classes_and_codes():
    adult = load("census1994")
    assert np.bincount(adult.y).tolist() == [22654, 7508]
    assert sum(c.startswith("occupation_") for c in adult.columns) == 14
    assert dict(zip(adult.columns, adult.x.max(0), strict=True))["gain"] == pytest.approx(np.log(100_000))


def test_outlines_of_brains_are_in_mm_and_womens_are_smaller():
    brains = load("cortical")
    assert brains.x.shape == (68, 1000 + 3)
    outlines, (age, patient, female) = brains.x[:, :1000].reshape(68, 500, 2), brains.x[:, 1000:].T
    assert (age.min(), age.max(), patient.sum(), female.sum()) == (18, 49, 30, 14)
    spread = np.sqrt(np.square(outlines - outlines.mean(1, keepdims=True)).sum(2).mean(1))
    assert spread[female == 0].mean() - spread[female == 1].mean() == pytest.approx(3.3, abs=0.1)


def test_emoji_persons_turn_pale_with_age_and_dark_with_skin():
    faces = load("emoji-faces").x.reshape(2, 3, 6, 3, 576)  # style, gender, skin, age
    child, adult, older = (faces[..., k, :].mean() for k in range(3))
    assert max(child, adult) < older - 10
    light, dark = faces[:, :, 1].mean((0, 1, 3)), faces[:, :, 5].mean((0, 1, 3))
    assert (light > dark - 1).all()


def test_skills_have_two_texts_that_are_nearest_to_each_other():
    skills = load("esco-skills")
    assert skills.x.shape == (360, 2 * 384)
    labels, descriptions = skills.x[:, :384], skills.x[:, 384:]
    assert ((labels @ descriptions.T).argmax(1) == np.arange(360)).mean() > 0.8
    assert all(len(text.split("\t")) == 3 for text in skills.y_names)


def test_news_are_similar_where_people_and_vectors_say_so():
    news = load("lee-news")
    counts, vectors, human = np.split(news.x, [len(news.columns) - 434, len(news.columns) - 50], axis=1)
    assert len(news.x) == 350
    assert (counts.sum(1) > 10).all()
    pairs = np.triu_indices(50, 1)
    assert (human[:50] == human[:50].T).all()
    assert np.corrcoef((vectors[:50] @ vectors[:50].T)[pairs], human[:50][pairs])[0, 1] > 0.6


def test_lalonde_has_the_groups_of_the_experiment_and_the_survey():
    lalonde = load("lalonde")
    assert np.bincount(lalonde.y).tolist() == [260, 185, 15992]
    pay = lalonde.x[:, lalonde.columns.index("re78")]
    assert pay[lalonde.y == 1].mean() - pay[lalonde.y == 0].mean() == pytest.approx(1794, abs=1)


def test_animals_are_unlike_each_other_and_bright_in_the_middle():
    animals = load("animals14")
    assert animals.x.shape == (9716, 14 * 14)
    assert len(np.unique(animals.x, axis=0)) == 9716
    assert np.bincount(animals.y).min() == 812
    image = animals.x.mean(0).reshape(14, 14)
    assert image[5:9, 5:9].mean() > 2 * image[[0, -1]].mean()


def test_tiles_of_the_earth_know_their_place_and_rough_ground_from_flat():
    marble = load("marble")
    assert marble.x.shape == (3169, 16 * 16 * 3 + 3)
    latitude, longitude, relief = marble.x[:, -3:].T
    assert abs(latitude).max() < 56
    assert len(set(zip(latitude, longitude, strict=True))) == 3169
    sahara = (abs(latitude - 21) < 3) & (abs(longitude - 3) < 10)
    nepal = (abs(latitude - 28.5) < 2) & (abs(longitude - 85) < 5)
    assert marble.x[sahara, 0].mean() > 150  # red sand
    assert relief[nepal].mean() > 2 * relief[sahara].mean()


def test_pupils_are_ordered_by_school_and_know_its_sector_and_mean():
    pupils = load("hsb82")
    assert pupils.x.shape == (7185, 6)
    assert len(pupils.y_names) == 160
    assert np.all(np.diff(pupils.y) >= 0)
    column = dict(zip(pupils.columns, pupils.x.T, strict=True))
    sizes = np.bincount(pupils.y)
    np.testing.assert_allclose(
        np.bincount(pupils.y, column["ses"]) / sizes, np.bincount(pupils.y, column["meanses"]) / sizes, atol=1e-4
    )
    assert set(np.bincount(pupils.y, column["catholic"]) / sizes) == {0.0, 1.0}


def test_stops_with_an_unknown_search_race_or_gender_are_left_out():
    stops = load("mplsstops")
    assert stops.x.shape == (34178, 7)
    assert len(stops.y_names) == 87
    assert np.isin(stops.x, (0, 1)).all()
    assert stops.x[:, stops.columns.index("searched")].sum() == 5117


def test_stops_have_race_and_search_recorded_though_perhaps_as_unknown():
    stops = load("mplssearch")
    month, race = (stops.x[:, stops.columns.index(c)].astype(int) for c in ("month", "race"))
    assert np.bincount(race).tolist() == [11703, 15220, 7557, 9219]
    assert np.bincount(month)[1:].min() == 2778
    assert [round(stops.y[race == r].mean(), 2) for r in (0, 1)] == [0.08, 0.2]
    hour = stops.x[:, stops.columns.index("hour")]
    assert hour.min() >= 0
    assert hour.max() < 24


def test_images_are_the_cases_in_two_dimensions():
    digits = load("digits8")
    assert digits.images.shape == (1797, 8, 8)
    np.testing.assert_array_equal(digits.images[3].ravel(), digits.x[3])


def test_a_case_that_is_not_an_image_has_none():
    with pytest.raises(DataError, match=r"^iris: a case has shape \(4,\), not that of an image$"):
        _ = load("iris").images


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(DataError, match=r"^unknown data set 'mnist'; known: ") as caught:
        load("mnist")
    assert str(caught.value).partition("known: ")[2].split(", ") == sorted(registry())


def test_a_hash_that_differs_is_refused_with_both_hashes(monkeypatch):
    found, expected = registry()["iris"]["sha256"], "0" * 64
    changed = {**registry(), "iris": {**registry()["iris"], "sha256": expected}}
    monkeypatch.setattr(data, "registry", lambda: changed)
    with pytest.raises(DataError, match=rf"^iris: SHA-256 of the data is {found}, expected {expected} "):
        load("iris")


@pytest.mark.parametrize("part", ["x", "y"])
def test_one_changed_number_is_noticed(monkeypatch, part):
    import sklearn.datasets

    bunch = sklearn.datasets.load_iris()
    bunch["data" if part == "x" else "target"].flat[7] += 1
    monkeypatch.setattr(sklearn.datasets, "load_iris", lambda: bunch)
    with pytest.raises(DataError, match=r"^iris: SHA-256"):
        load("iris")


@pytest.mark.parametrize("error", [ImportError("No module named 'sklearn'"), FileNotFoundError("no such file")])
def test_a_missing_package_or_file_is_told_with_the_origin(monkeypatch, error):
    import sklearn.datasets

    def broken():
        raise error

    monkeypatch.setattr(sklearn.datasets, "load_iris", broken)
    with pytest.raises(DataError, match=rf"^iris could not be read from package scikit-learn .*{error}$"):
        load("iris")


# --- readers' own tables ------------------------------------------------------------------------------------------


def test_a_table_comes_back_as_it_was_written(table, tmp_path):
    import pandas as pd

    iris = load("iris")
    frame = pd.DataFrame(iris.x, columns=iris.columns).assign(label=np.array(iris.y_names)[iris.y])
    text = frame.sample(frac=1, random_state=0).sort_index().to_csv(index=False)
    mine = table(text)
    np.testing.assert_array_equal(mine.x, iris.x)
    np.testing.assert_array_equal(mine.y, iris.y)
    assert (mine.y_names, mine.columns, mine.shape) == (iris.y_names, iris.columns, (4,))
    assert (mine.name, mine.sha256) == ("mine", hashlib.sha256(text.encode()).hexdigest())
    assert (mine.x.dtype, mine.y.dtype) == (np.float64, np.int64)
    assert load_table(str(tmp_path / "mine.csv")).sha256 == mine.sha256


def test_the_label_may_have_any_name_and_place(table):
    mine = table("kind,a,b\nu,1,2\nt,3,4\n", label="kind")
    assert (mine.y.tolist(), mine.y_names, mine.columns) == ([1, 0], ("t", "u"), ("a", "b"))


def test_a_byte_order_mark_is_no_part_of_a_name(table):
    assert table(b"\xef\xbb\xbfa,label\n1,u\n").columns == ("a",)


def test_labels_that_are_numbers_are_sorted_as_numbers(table):
    mine = table("a,label\n1,10\n2,9\n3,10\n")
    assert (mine.y.tolist(), mine.y_names) == ([1, 0, 1], ("9", "10"))


def test_a_table_of_a_reader_has_no_card_even_under_a_known_name(table):
    assert table("a,label\n1,u\n", name="iris.csv").card == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,label\n1,2,u\n3,4,v,5\n", "line 3"),
        ("a,b,kind\n1,2,u\n", "no column 'label'; found a, b, kind"),
        ("just words\nand more\n", "no column 'label'; found just words"),
        ("a,label\n", "has no rows below the names of its columns"),
        ("label\nu\n", "no column beside 'label'"),
        ("a,b,label\n1,2,u\n3,four,v\n", "line 3, column 'b' is 'four', expected a finite number"),
        ("a,b,label\n1,'2',u\n", "line 2, column 'b' is \"'2'\", expected a finite number"),
        ("a,b,label\n1,2,u\n3,,v\n", "line 3, column 'b' is "),
        ("a,b,label\n1,2,u\ninf,4,v\n", "line 3, column 'a' is "),
        ("a,b,label\n1,2,u\n\n3,four,v\n", "line 4, column 'b' is 'four', expected a finite number"),
        ("a,label\n1,u\n2,\n", "line 3, column 'label' is"),
        ("a,b,label\n7,1,2,u\n8,3,4,v\n", "line 2"),
    ],
)
def test_a_table_of_another_form_is_refused_in_one_line_by_file_and_place(table, text, message):
    with pytest.raises(DataError, match=rf"^mine\.csv: .*{re.escape(message)}") as caught:
        table(text)
    assert "\n" not in str(caught.value)
    assert "np." not in str(caught.value)
    assert caught.value._render_traceback_() == [f"DataError: {caught.value}"]


@pytest.mark.parametrize("name", ["none.csv", "."])
def test_no_file_is_told(tmp_path, name):
    with pytest.raises(DataError, match=r"expected a CSV file|not a readable CSV file"):
        load_table(tmp_path / name)


def test_a_data_set_cannot_be_changed_by_name():
    dataset = Dataset("mine", np.zeros((1, 1)), None, "", (1,))
    with pytest.raises(AttributeError):
        dataset.name = "iris"


def test_towns_come_with_their_other_names_the_largest_first():
    towns = load("geotowns")
    assert towns.columns == ("population", "names", "letters")
    assert (np.diff(towns.x[:, 0]) <= 0).all()
    assert all(text.count("\t") + 1 == n >= 8 for text, n in zip(towns.y_names, towns.x[:, 1], strict=True))
    vienna = next(text.split("\t") for text in towns.y_names if text.startswith("Vienna\t"))
    assert {"Wien", "Dunaj"} <= set(vienna)


def test_territories_have_a_code_and_names_in_many_languages():
    territories = load("territories")
    names = {code: names.split("|") for code, names in (text.split("\t") for text in territories.y_names)}
    assert len(names) == 257
    assert {"Germany", "Deutschland", "Saksa", "Niemcy"} <= set(names["DE"])
    assert all(len(set(n)) == len(n) for n in names.values())


def test_antibiotics_part_by_the_gram_stain():
    doses = load("antibiotics")
    assert doses.x.shape == (16, 4)
    penicillin, stain = doses.x[:, 0], doses.x[:, 3]
    assert stain.sum() == 7
    assert penicillin[stain == 1].max() <= 1 <= penicillin[stain == 0].min()


def test_worm_nets_have_known_senders():
    worm = load("wormnets")
    assert worm.x.shape == (128, 300 + 128)
    synapses = worm.x[:, 300:]
    assert synapses.sum() == 1103
    at = {name: k for k, name in enumerate(worm.y_names)}
    assert synapses[at["ASH"], at["AVA"]] == 1  # touch to the nose, then the cell that drives backwards
    assert synapses[at["CAN"]].sum() == 0


def test_drugvirus_is_read_from_the_fetched_file_and_held_against_its_hash(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "lvutils").mkdir()
    (tmp_path / "lvutils" / "drugvirus.txt").write_text("1\t9\t1\n175\t41\t1")
    with pytest.raises(DataError, match="drugvirus: SHA-256"):
        load("drugvirus")


def test_drugvirus_without_a_network_says_where_it_comes_from(tmp_path, monkeypatch):
    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", offline)
    with pytest.raises(DataError, match="drugvirus could not be read from https"):
        load("drugvirus")


def test_diamonds_have_one_word_for_each_grade():
    stones = load("diamonds")
    assert stones.x.shape == (53940, 27)
    assert (stones.x[:, 7:].sum(1) == 3).all()
    assert stones.x[:, 0].min() == 326
    assert np.corrcoef(np.log(stones.x[:, 0]), np.log(stones.x[:, 1]))[0, 1] > 0.96
