// Boxes that are wider than the screen say so: data-more names the sides on which something is hidden (book.css fades
// them), and the Tab key reaches them, so that a keyboard can scroll.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const boxes = "pre, div.math, div.math > mjx-container, .text_html, .pst-scrollable-table-container, .cell_output";

  const look = (box) => {
    const hidden = box.scrollWidth - box.clientWidth;
    const scrolls = hidden > 1 && ["auto", "scroll"].includes(getComputedStyle(box).overflowX);
    const left = box.scrollLeft > 1;
    const right = box.scrollLeft < hidden - 1;
    if (!scrolls) {
      if (box.dataset.more) box.removeAttribute("tabindex");
      delete box.dataset.more;
      return;
    }
    box.dataset.more = left && right ? "both" : left ? "left" : "right";
    if (!box.matches("a *, summary *")) box.tabIndex = 0;
  };

  const sizes = new ResizeObserver((entries) => entries.forEach((entry) => look(entry.target)));
  const watch = (root) => {
    for (const box of root.querySelectorAll(boxes)) {
      sizes.observe(box);
      box.addEventListener("scroll", () => look(box), { passive: true });
    }
  };
  const article = document.querySelector("article");
  if (!article) return;
  watch(article);
  for (const fold of article.querySelectorAll("details")) fold.addEventListener("toggle", () => fold.querySelectorAll(boxes).forEach(look));
  window.MathJax?.startup?.promise?.then(() => article.querySelectorAll("div.math").forEach((box) => { watch(box); look(box); }));
});
