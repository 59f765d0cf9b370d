// Filters a list of elements (gallery, scoreboard) by the form before it. The filters stand in the page's address, so
// that a filtered list can be linked to and is there again after Back. No library, no request.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const list = document.querySelector("[data-filterable]");
  if (!list) return;
  const form = document.querySelector("form.lv-filter");
  const controls = [...form.querySelectorAll("[data-filter]")];
  const count = form.querySelector("output");
  const clear = form.querySelector("[type=reset]");
  const chips = [...list.querySelectorAll("[data-keyword]")];
  const keyword = controls.find((control) => control.dataset.filter === "keywords");
  const items = [...list.children];

  // without case and accents: "muller" finds "Müller"
  const plain = (text) => text.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "");

  const matches = (item, control) => {
    const value = item.dataset[control.dataset.filter];
    if (control.dataset.filter !== "text") return !control.value || value.split("|").includes(control.value);
    return plain(control.value).split(/\s+/).every((word) => plain(value).includes(word));
  };

  const apply = () => {
    for (const item of items) item.hidden = !controls.every((control) => matches(item, control));
    const shown = items.filter((item) => !item.hidden).length;
    count.textContent = `${shown} of ${items.length}` + (shown ? "" : ": nothing is left under these filters");
    clear.hidden = controls.every((control) => !control.value);
    for (const chip of chips) chip.setAttribute("aria-pressed", chip.dataset.keyword === keyword.value);
  };

  const read = () => {
    const wanted = new URLSearchParams(location.search);
    for (const control of controls) {
      control.value = wanted.get(control.dataset.filter) ?? "";
      if (control.selectedIndex === -1) control.value = ""; // an address may name what no longer exists
    }
    apply();
  };

  const changed = () => {
    apply();
    const set = controls.filter((control) => control.value.trim()).map((c) => [c.dataset.filter, c.value.trim()]);
    const query = new URLSearchParams(set).toString();
    history.replaceState(history.state, "", location.pathname + (query && `?${query}`) + location.hash);
  };

  form.addEventListener("input", changed);
  form.addEventListener("reset", () => setTimeout(() => { changed(); controls.at(-1).focus(); })); // once it is empty
  list.addEventListener("click", (event) => {
    const chip = event.target.closest("[data-keyword]");
    if (!chip) return;
    keyword.value = keyword.value === chip.dataset.keyword ? "" : chip.dataset.keyword;
    changed();
    form.scrollIntoView({ block: "nearest" });
  });
  window.addEventListener("pageshow", read); // also when Back shows the page as it was left
  read();
});
