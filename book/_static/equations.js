// A docstring that names an equation, as "Equation (loss)", leads to it. Labels are eq-CHAPTER-NAME.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const chapter = location.pathname.split("/").pop().replace(/\.html$/, "");
  for (const words of document.querySelectorAll("div.highlight span.sd, div.highlight span.s2, div.highlight span.c1")) {
    const found = words.textContent.match(/Equations? \((\w[\w-]*)\)/);
    const target = found && document.getElementById(`equation-eq-${chapter}-${found[1]}`);
    if (!target || words.children.length) continue;
    const link = document.createElement("a");
    link.href = `#${target.id}`;
    link.className = "lv-equation";
    link.textContent = found[0];
    const [before, after] = [words.textContent.slice(0, found.index), words.textContent.slice(found.index + found[0].length)];
    words.replaceChildren(before, link, after);
  }
});
