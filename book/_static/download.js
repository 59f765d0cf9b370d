// A browser shows a notebook that a page opened as a file links to, in place of downloading it. There, the notebook's text
// is loaded as a script, which lies beside it, and saved.
"use strict";

document.addEventListener("click", (event) => {
  const link = event.target.closest('a[download$=".ipynb"]');
  if (!link || location.protocol !== "file:") return;
  event.preventDefault();
  const script = document.createElement("script");
  script.src = `${link.href}.js`;
  script.onload = () => {
    const url = URL.createObjectURL(new Blob([window.lvNotebook], { type: "application/x-ipynb+json" }));
    const save = Object.assign(document.createElement("a"), { href: url, download: link.download });
    save.click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
    delete window.lvNotebook;
    script.remove();
  };
  document.head.append(script);
});
