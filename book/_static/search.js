// Searches the book: window.searchData (written by lvutils.press.site) holds the prose of each page by section. No server, no
// request. All words must be on a page; titles come before headings and authors, these before the text.
"use strict";

(() => {
  const GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma sigma tau upsilon phi chi psi omega".split(" ");
  const WORD = /[\p{L}\p{N}]+(?:[-'’][\p{L}\p{N}]+)*/gu;
  const KINDS = { title: 40, about: 25, heading: 15, text: 1 };

  // without case and accents, Greek letters by name: "Müller" is "muller", "β" is "beta"
  const fold = (text) => text.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "").replace(/’/g, "'").replace(/ϵ/g, "ε")
    .replace(/[α-ω]/g, (letter) => GREEK[letter.charCodeAt(0) - 945]);
  const words = (text) => [...text.matchAll(WORD)].map((m) => ({ at: m.index, end: m.index + m[0].length, word: fold(m[0]) }));

  // 1 for the word itself, also in the plural, 0.7 as a part of "k-means", 0.4 as its beginning, else 0
  const plural = (word) => word.replace(/(?<=[^s]{2})s$/, "");
  const likeness = (wanted, word) => {
    if (plural(word) === plural(wanted)) return 1;
    if (word.includes("-") && word.split("-").some((part) => plural(part) === plural(wanted))) return 0.7;
    return wanted.length > 2 && word.startsWith(wanted) ? 0.4 : 0;
  };
  const best = (wanted, list) => list.reduce((most, { word }) => Math.max(most, likeness(wanted, word)), 0);

  const prepare = () => window.searchData.map((page) => ({
    ...page,
    titleWords: words(page.title),
    aboutWords: words(page.about),
    sections: page.sections.map(([anchor, heading, text]) => ({ anchor, heading, text, headingWords: words(heading), textWords: words(text) })),
  }));

  const search = (pages, query) => {
    const wanted = [...new Set(words(query).map((w) => w.word))];
    if (!wanted.length) return [];
    const found = [];
    for (const page of pages) {
      const sections = page.sections.map((section) => ({ section, score: 0, hits: 0 }));
      let score = 0;
      const everyWord = wanted.every((word) => {
        let most = Math.max(KINDS.title * best(word, page.titleWords), KINDS.about * best(word, page.aboutWords));
        for (const s of sections) {
          const count = s.section.textWords.reduce((sum, w) => sum + likeness(word, w.word), 0);
          const here = KINDS.heading * best(word, s.section.headingWords) + KINDS.text * Math.log1p(count);
          s.score += here;
          s.hits += here > 0;
          most = Math.max(most, here);
        }
        score += most;
        return most > 0;
      });
      if (!everyWord) continue;
      // the query itself as a title, in it, or as a heading (a term of the glossary)
      const whole = (list) => ` ${list.map((w) => plural(w.word)).join(" ")} `;
      const phrase = ` ${words(query).map((w) => plural(w.word)).join(" ")} `;
      const title = whole(page.titleWords);
      if (title === phrase) score += 400;
      else if (title.includes(phrase)) score += 200;
      for (const s of sections) {
        if (whole(s.section.headingWords) === phrase) { s.score += 100; score += 50; }
        else if (whole(s.section.textWords).includes(phrase)) s.score += 3;
      }
      const shown = sections.filter((s) => s.hits).sort((a, b) => b.hits - a.hits || b.score - a.score).slice(0, 3);
      found.push({ page, score, sections: shown.map((s) => s.section) });
    }
    return found.sort((a, b) => b.score - a.score);
  };

  const element = (name, attributes = {}, ...children) => {
    const made = Object.assign(document.createElement(name), attributes);
    made.append(...children);
    return made;
  };

  // about 160 characters around the first word that was asked for, these words marked
  const snippet = ({ text, textWords }, wanted) => {
    const hits = textWords.filter((w) => wanted.some((word) => likeness(word, w.word) > 0));
    const from = Math.max((hits[0]?.at ?? 0) - 60, 0);
    const begin = from ? (textWords.find((w) => w.at >= from)?.at ?? from) : 0;
    const end = Math.max(...textWords.filter((w) => w.end <= begin + 180).map((w) => w.end), begin);
    const line = element("p", {}, begin ? "… " : "");
    let at = begin;
    for (const hit of hits.filter((h) => h.at >= begin && h.end <= end)) {
      line.append(text.slice(at, hit.at), element("mark", {}, text.slice(hit.at, hit.end)));
      at = hit.end;
    }
    line.append(text.slice(at, end), end < text.length ? " …" : "");
    return line;
  };

  const show = (query) => {
    const wanted = words(query).map((w) => w.word);
    const found = search(prepare(), query);
    const list = document.getElementById("search-results");
    const items = found.map(({ page, sections }) => {
      const item = element("li", {}, element("a", { href: page.url, className: "lv-search-title" }, page.title));
      if (page.about) item.append(element("p", { className: "lv-search-about" }, page.shown));
      for (const section of sections) {
        const heading = section.heading || page.title;
        item.append(element("div", { className: "lv-search-section" },
          ...(section.anchor ? [element("a", { href: `${page.url}#${section.anchor}` }, heading)] : []), snippet(section, wanted)));
      }
      return item;
    });
    list.replaceChildren(...items);
    const pages = `${found.length} page${found.length === 1 ? "" : "s"}`;
    document.getElementById("search-status").textContent = !query.trim() ? "" : found.length ? pages : `No page has all of: ${query}`;
  };

  const query = new URLSearchParams(location.search).get("q") ?? "";
  for (const field of document.querySelectorAll("form.bd-search input[name=q]")) field.value = query;
  const own = document.querySelector(".bd-search-container form.bd-search input");
  own.addEventListener("input", () => {
    history.replaceState(null, "", `${location.pathname}?${new URLSearchParams({ q: own.value })}`);
    show(own.value);
  });
  own.form.addEventListener("submit", (event) => event.preventDefault());
  own.focus();
  show(query);
})();
