// Scripts run: what they fold is folded from the first picture on (book.css). Paper is white: a page is printed in the
// light theme, whatever is on the screen.
"use strict";

document.documentElement.classList.add("lv-scripts");

let onScreen;
window.addEventListener("beforeprint", () => {
  onScreen = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
});
window.addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = onScreen;
});
