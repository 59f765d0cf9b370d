// Before the formulas of a page are typeset, book.css keeps their room free in place of showing their source.
"use strict";

if (document.currentScript.dataset.formulas === "yes") {
  const shown = () => document.documentElement.classList.remove("lv-typesetting");
  document.documentElement.classList.add("lv-typesetting");
  addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(shown, shown));
  setTimeout(shown, 15000);
}
