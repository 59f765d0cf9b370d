// Filters a list of elements (gallery, scoreboard) by the form before it. No library, no request.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  for (const list of document.querySelectorAll("[data-filterable]")) {
    const form = document.querySelector("form.lv-filter");
    const controls = [...form.querySelectorAll("[data-filter]")];
    const count = form.querySelector("output");
    const items = [...list.children];

    const matches = (item, control) => {
      const wanted = control.value.trim().toLowerCase();
      const field = control.dataset.filter;
      const value = item.dataset[field].toLowerCase();
      if (!wanted) return true;
      if (field === "text") return value.includes(wanted);
      return value.split("|").includes(wanted);
    };

    const apply = () => {
      let shown = 0;
      for (const item of items) {
        item.hidden = !controls.every((control) => matches(item, control));
        shown += item.hidden ? 0 : 1;
      }
      count.textContent = `${shown} of ${items.length}`;
    };

    for (const control of controls) control.addEventListener("input", apply);
    apply();
  }
});
