// A figure of a chapter fills the window at a click, a tap or Enter, and goes back at the next, or at Escape.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const pictures = [...document.querySelectorAll("article .cell_output img, article figure img")].filter((img) => !img.closest("a"));
  if (!pictures.length) return;
  const view = Object.assign(document.createElement("dialog"), { className: "lv-figure", tabIndex: -1 });
  const close = Object.assign(document.createElement("button"), { type: "button", textContent: "Close" });
  const large = document.createElement("img");
  view.append(close, large);
  document.body.append(view);
  view.addEventListener("click", () => view.close());

  for (const picture of pictures) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "lv-enlarge" });
    button.setAttribute("aria-label", `Enlarge: ${picture.alt}`);
    picture.replaceWith(button);
    button.append(picture);
    button.addEventListener("click", () => {
      large.src = picture.currentSrc || picture.src;
      large.alt = picture.alt;
      view.setAttribute("aria-label", picture.alt);
      view.showModal(); // the focus comes back to the button by itself
    });
  }
});
