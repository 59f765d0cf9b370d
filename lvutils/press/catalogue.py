"""The catalogue ``book/papers.yml``: the one source of titles, parts, citations and links."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from lvutils.parameters import nearest
from lvutils.paths import BOOK, NOTEBOOKS, ROOT
from lvutils.press.errors import Misuse


@dataclass(frozen=True)
class Part:
    """A part of the book: its id (also the folder of its notebooks), title and one sentence."""

    id: str
    title: str
    blurb: str


@dataclass(frozen=True)
class Paper:
    """One paper, one chapter. The fields are explained at the head of ``book/papers.yml``."""

    slug: str
    number: int
    part: str
    short: str
    title: str
    authors: tuple[str, ...]
    year: int
    venue: str
    arxiv: str | None
    code: str | None
    url: str | None
    bibkey: str
    keywords: tuple[str, ...]
    adds: str
    see_also: tuple[str, ...]

    @property
    def notebook(self) -> Path:
        """Where the chapter lies, or will lie."""
        return NOTEBOOKS / self.part / f"{self.slug}.ipynb"

    @property
    def link(self) -> str | None:
        """The paper's address: arXiv where it has an identifier."""
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else self.url

    def card(self) -> str:
        """The paper card at the head of the chapter, as MyST Markdown."""
        from lvutils.press.links import citation

        links = []
        if self.link:
            links.append(f"[arXiv:{self.arxiv}]({self.link})" if self.arxiv else f"[paper]({self.link})")
        if self.code:
            links.append(f"[authors' code]({self.code})")
        return "\n".join(
            [
                ":::{admonition} The paper",
                ":class: paper-card",
                f"**{self.title}** ({citation(self.bibkey)})",
                "",
                " · ".join([", ".join(self.authors), self.venue, *links]),
                "",
                f"*What it adds.* {self.adds}",
                ":::",
            ]
        )


@cache
def parts() -> tuple[Part, ...]:
    """The parts of the book in reading order."""
    return tuple(Part(**p) for p in _read()["parts"])


@cache
def papers() -> tuple[Paper, ...]:
    """All papers, by part and in reading order within a part."""
    lists = ("authors", "keywords", "see_also")
    return tuple(Paper(**{k: tuple(v) if k in lists else v for k, v in p.items()}) for p in _read()["papers"])


def written() -> tuple[Paper, ...]:
    """The papers whose chapter exists."""
    return tuple(p for p in papers() if p.notebook.is_file())


def find(slug: str) -> Paper:
    """A paper by its slug. Raises Misuse with the nearest slug where there is none of that name."""
    for paper in papers():
        if paper.slug == slug:
            return paper
    hint = nearest(slug, [p.slug for p in papers()])
    raise Misuse(f"unknown chapter {slug!r}{hint if 'did you mean' in hint else '; see: lvutils list --all'}")


def find_written(slug: str) -> Paper:
    """A paper whose chapter exists. Raises Misuse where it is unknown or only planned."""
    paper = find(slug)
    if not paper.notebook.is_file():
        raise Misuse(f"chapter {slug!r} is planned but not written yet; see: lvutils list")
    return paper


def repository(config: Path = ROOT / "_config.yml") -> tuple[str, str]:
    """Address and branch of the project as the book's configuration gives them; empty where it has no address."""
    settings = yaml.load(config.read_text(encoding="utf-8"), Loader=_Loader).get("repository") or {}
    return (settings.get("url") or "").rstrip("/"), settings.get("branch") or "main"


def clone(url: str) -> str:
    """The commands that fetch the project from its address."""
    return f"git clone {url}\ncd {url.rsplit('/', 1)[-1].removesuffix('.git')}"


def _read() -> dict:
    return yaml.load((BOOK / "papers.yml").read_text(encoding="utf-8"), Loader=_Loader)


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
