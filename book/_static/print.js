// Paper is white: a page is printed in the light theme, whatever is on the screen.
"use strict";

let onScreen;
window.addEventListener("beforeprint", () => {
  onScreen = document.documentElement.dataset.theme;
  document.documentElement.dataset.theme = "light";
});
window.addEventListener("afterprint", () => {
  document.documentElement.dataset.theme = onScreen;
});
