"""A chapter's skeleton from the catalogue: it runs, and keeps the contract but for what only an author can fill."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from lvutils.files import write_text
from lvutils.press import catalogue
from lvutils.press.catalogue import Paper
from lvutils.press.errors import Misuse
from lvutils.press.notebook import dump, shown


def new_chapter(slug: str) -> Path:
    """Write the skeleton of a planned chapter; its path. Raises Misuse where the chapter exists."""
    paper = catalogue.find(slug)
    if paper.notebook.exists():
        raise Misuse(f"{shown(paper.notebook)} exists; nothing was written")
    paper.notebook.parent.mkdir(parents=True, exist_ok=True)
    write_text(paper.notebook, dump(skeleton(paper)))
    return paper.notebook


def skeleton(paper: Paper) -> dict:
    """The skeleton as a notebook that was not run yet."""
    cells = []
    for kind, source, *metadata in _cells(paper):
        cell_id = hashlib.sha256(f"{paper.slug} {len(cells)}".encode()).hexdigest()[:8]
        cell = {
            "cell_type": kind,
            "id": cell_id,
            "metadata": metadata[0] if metadata else {},
            "source": source.strip("\n"),
        }
        if kind == "code":
            cell |= {"execution_count": None, "outputs": []}
        cells.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def headings() -> tuple[str, ...]:
    """The headings of a chapter in their order, as the skeleton has them."""
    texts = (source for kind, source, *_ in _cells(catalogue.papers()[0]) if kind == "markdown")
    return tuple(title for text in texts for title in re.findall(r"^## (.+)$", text, re.MULTILINE))


def _figure(slug: str, name: str) -> dict:
    alt = "TODO: what one would see, for a reader who cannot see it: axes, curves, the main contrast."
    figure = {"figure": {"name": f"fig-{slug}-{name}"}, "image": {"alt": alt}}
    return {"mystnb": figure, "tags": ["hide-input"]}


def _cells(paper: Paper):
    slug = paper.slug
    checked = {"tags": ["nbval-check-output"]}
    siblings = ", ".join(f"*{other}*" for other in paper.see_also)
    yield (
        "markdown",
        f"""
(ch-{slug})=
# {paper.short}

{paper.card()}

**Question.** TODO

**Data.** TODO

**You need.** TODO
""",
    )
    yield "markdown", f"## The idea in one picture\n\nTODO: ten lines for a newcomer, and [Figure 1](#fig-{slug}-idea)."
    yield (
        "code",
        """
import matplotlib.pyplot as plt

from lvutils.plot import COLORS, use_style

use_style()
fig, ax = plt.subplots()
ax.plot([0, 1], [0, 1], color=COLORS["method"])  # TODO: the idea
ax.set(xlabel="TODO (unit)", ylabel="TODO (unit)")
plt.show()
""",
        _figure(slug, "idea"),
    )
    caption = "**Figure 1.** TODO: one or two sentences that say what is drawn and what to see in it."
    yield "markdown", caption, {"tags": ["caption"]}
    yield "markdown", "## Set-up\n\nTODO: what the parameters turn."
    yield (
        "code",
        """
profile: str = "book"  # how long to run; one of quick, book, paper
seed: int = 0  # root of all random numbers; 0 to 1000000
""",
        {"tags": ["parameters"]},
    )
    yield (
        "code",
        f"""
from lvutils import begin
from lvutils.claims import Claim, Control, above, scorecard
from lvutils.data import load
from lvutils.stats import mean_interval

run = begin("{slug}", globals())
size = run.choose(n_cases=(10, 40, 1000))  # under quick, book, paper
""",
    )
    yield "markdown", "## Data\n\nTODO: what the paper used, what this chapter uses, why that is fair."
    yield "code", 'data = load("digits8")\nrun.fingerprint(data)', checked
    yield "markdown", f"## The model\n\nTODO\n\n$$\nx = z\n$$ (eq-{slug}-model)"
    yield "markdown", "## Check the implementation\n\nTODO: what a right implementation must pass."
    yield "code", 'assert data.x.min() >= 0  # TODO: checks that can fail\nprint("TODO checks passed")', checked
    yield "markdown", "## Experiments\n\nTODO: the method, and the paper's main baseline, tuned as fairly."
    yield (
        "code",
        """
def measured(name, truth):  # TODO: the measure, in one world or another
    \"\"\"The measure with its interval over independent units (data sets, models).\"\"\"
    return mean_interval(truth + run.rng(name).normal(size=size.n_cases))


here, nothing = measured("here", 3.0), measured("control", 0.0)
surely = measured("positive", 3.0)
""",
    )
    yield "markdown", f"(ch-{slug}-scorecard)=\n## Does the claim hold?\n\nTODO: the rules in words."
    yield (
        "code",
        """
claims = [
    Claim(f"C{k}", "TODO", paper="TODO", source="TODO",
          rule="TODO: effect above 1",
          measured=here, verdict=lambda effect: above(effect, 1),
          control=Control("TODO: a world where it is false", nothing),
          positive=Control("TODO: a world where it is true", surely))
    for k in (1, 2, 3)
]
card = scorecard(run, claims)
""",
        checked,
    )
    yield "code", "card", {"tags": ["hide-input"]}
    yield (
        "markdown",
        (
            "## What differs from the paper\n\n"
            "| paper | here | what it may change |\n| --- | --- | --- |\n| TODO | TODO | TODO |\n\n"
            "**What the authors would object to first.** TODO\n\n**What a referee would.** TODO"
        ),
    )
    yield (
        "markdown",
        f"""
## Exercises

```{{exercise}} TODO
:label: ex-{slug}-1

TODO: rerun with another parameter: `lvutils run {slug} -p seed=1`.
```

```{{solution}} ex-{slug}-1
:class: dropdown

TODO
```

```{{exercise}} TODO
:label: ex-{slug}-2

TODO
```

```{{solution}} ex-{slug}-2
:class: dropdown

TODO
```
""",
    )
    yield "markdown", f"## Further reading\n\nTODO. Sibling chapters: {siblings}."
