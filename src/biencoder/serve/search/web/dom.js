// Elements by function. Every text goes in as text: nothing of a document is ever read as HTML.

export const $ = (id) => document.getElementById(id);

export function el(tag, given = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(node.dataset, value);
    else node.setAttribute(name === "cls" ? "class" : name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `web/icons.svg#${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

export const number = (value) => value.toLocaleString("en");

export function counted(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

// What a person calls a document: its title, or the last part of its path.
export const nameOf = (document) => document.title || document.source.split("/").pop();

// Where it stands; a file's name is not said twice where it is the title.
export function placeOf(hit) {
  const path = hit.title || hit.heading ? hit.source : hit.source.split("/").slice(0, -1).join("/");
  return [path, hit.page === null ? "" : `page ${hit.page}`].filter(Boolean).join(" · ");
}

export function announce(text) {
  $("status").textContent = text;
}

// A dialog closes by its buttons, by Esc, and by a click beside it.
export function openDialog(dialog) {
  if (!dialog.dataset.ready) {
    dialog.dataset.ready = "yes";
    for (const button of dialog.querySelectorAll("[data-close]")) {
      button.addEventListener("click", () => dialog.close());
    }
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close();
    });
  }
  dialog.showModal();
}
