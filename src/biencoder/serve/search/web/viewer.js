// A document, opened where a passage stands; longer ones come piece by piece.

import { fileAddress, readDocument } from "./api.js";
import { $, announce, counted, el, icon, nameOf, number } from "./dom.js";
import { explain, figure } from "./pages.js";
import { prose } from "./prose.js";
import { indexOf, state } from "./state.js";
import { thumbs } from "./results.js";

const PIECE = 200;
// So narrow that the document lies over all else.
const covering = matchMedia("(max-width: 999px)");
// Who had the keyboard before a document was opened.
let before = null;
// What the document was marked with last: {open, hits}, and where that is: {here, hit}.
let shown = {};
// What each drawn passage was made of, to draw it anew without its marks.
const made = new WeakMap();

export const isOpen = () => !$("viewer").hidden;

// open: {document, passage, lane}. hits: of the list it was opened from, to mark them and to judge.
export async function showDocument(open, hits, act) {
  const viewer = $("viewer");
  const index = indexOf(state.lanes[open.lane])?.name ?? "";
  const opening = viewer.hidden;
  if (opening) before = document.activeElement;
  viewer.hidden = false;
  document.body.classList.add("reading");
  const same = viewer.dataset.shown === `${index} ${open.document}`;
  if (same && mark(viewer, open, hits, act)) return;
  viewer.setAttribute("aria-busy", "true");
  if (opening) {
    viewer.replaceChildren(head(null, index, act));
    viewer.querySelector("h2").focus({ preventScroll: true });
    cover();
  }
  const asked = `${index} ${open.document} ${open.passage}`;
  viewer.dataset.asked = asked;
  try {
    const found = await readDocument(open.document, { index, passage: open.passage, limit: PIECE });
    if (viewer.dataset.asked !== asked) return;
    viewer.dataset.shown = `${index} ${open.document}`;
    draw(viewer, found, index, act);
    mark(viewer, open, hits, act);
  } catch (error) {
    if (viewer.dataset.asked !== asked) return;
    delete viewer.dataset.shown;
    put(viewer, head(null, index, act), el("div", { cls: "plain failed", role: "alert" },
      el("h2", {}, "The document cannot be shown"), el("p", {}, error.message)));
  } finally {
    viewer.removeAttribute("aria-busy");
  }
}

export function hideDocument() {
  const viewer = $("viewer");
  if (viewer.hidden) return;
  const held = document.activeElement === document.body || viewer.contains(document.activeElement);
  viewer.hidden = true;
  cover();
  delete viewer.dataset.shown;
  delete viewer.dataset.asked;
  viewer.replaceChildren();
  document.body.classList.remove("reading");
  // Back to the hit that was read last; its card may be another than the one that opened the document.
  const card = shown.hit && document.querySelector(`.hit[data-lane="${shown.open.lane}"][data-passage="${shown.hit.id}"] h3 a`);
  if (held) (card ?? before)?.focus();
  before = null;
  shown = {};
}

// What is covered can be neither seen nor reached.
function cover() {
  for (const node of document.querySelectorAll(".skip, .top, main")) node.inert = isOpen() && covering.matches;
}
covering.addEventListener("change", cover);

// The heading takes the keyboard over from what is replaced.
function put(viewer, ...nodes) {
  const held = viewer.contains(document.activeElement);
  viewer.replaceChildren(...nodes);
  if (held) viewer.querySelector("h2").focus({ preventScroll: true });
}

function draw(viewer, found, index, act) {
  const text = el("div", { cls: "text", lang: "" });
  let last = null;
  const add = (passages, where) => {
    const nodes = [];
    let page = where === "end" ? last : null;
    for (const passage of passages) {
      if (passage.page !== null && passage.page !== page) {
        nodes.push(el("p", { cls: "page" }, `Page ${passage.page}`));
      }
      page = passage.page;
      const section = el("section", { cls: "passage", data: { passage: passage.id } });
      const words = el("div", { cls: "words" });
      made.set(section, () => words.replaceChildren(...prose(passage.text, found.markdown)));
      made.get(section)();
      if (passage.pictured) section.append(figure(found.id, passage, index), textOf(words, passage.text));
      else section.append(words);
      nodes.push(section);
    }
    if (where === "end") last = page;
    text[where === "end" ? "append" : "prepend"](...nodes);
  };
  add(found.texts, "end");
  let first = found.first;
  let next = found.first + found.texts.length;
  const more = (label, from, count, where) => {
    const button = el("button", { type: "button", cls: "quiet more", onclick: async () => {
      const piece = await readDocument(found.id, { index, first: from(), limit: count() }).catch((error) => {
        button.textContent = `${error.message} Try again`;
      });
      if (!piece) return;
      button.textContent = label;
      add(piece.texts, where);
      remark(viewer, act);
      if (where === "end") next += piece.texts.length;
      else first -= piece.texts.length;
      button.hidden = where === "end" ? next >= found.passages : first <= 0;
    } }, label);
    button.hidden = where === "end" ? next >= found.passages : first <= 0;
    return button;
  };
  const rows = Object.entries(found.metadata);
  shown = {};
  put(viewer,
    head(found, index, act),
    el("div", { cls: "scroll" },
      rows.length ? el("dl", { cls: "facts" }, rows.map(([key, value]) => el("div", {}, el("dt", {}, key), el("dd", {}, String(value))))) : null,
      more("Earlier in the document", () => Math.max(0, first - PIECE), () => Math.min(PIECE, first), "start"),
      text,
      more("Later in the document", () => next, () => PIECE, "end")),
    el("div", { cls: "verdict", hidden: true }));
}

function head(found, index, act) {
  const close = el("button", { type: "button", cls: "quiet icon", "aria-label": "Close the document", title: "Close (Esc)", onclick: act.closeDocument }, icon("close"));
  if (!found) return el("header", {}, el("h2", { tabindex: "-1" }, "…"), close);
  const size = [counted(found.passages, "passage"), found.pages ? counted(found.pages, "page") : ""];
  return el("header", {},
    el("div", { cls: "names" },
      el("p", { cls: "place" }, found.source),
      el("h2", { tabindex: "-1" }, nameOf(found)),
      el("p", { cls: "size" }, size.filter(Boolean).join(" · "))),
    el("div", { cls: "tools" },
      el("button", { type: "button", cls: "quiet icon", "aria-label": "Search in this document only", title: "Search in this document only",
        onclick: () => act.changeFilters([...state.filters.filter(({ column }) => column !== "source"), { column: "source", operator: "=", value: found.source }]) }, icon("only")),
      found.file ? el("a", { cls: "quiet icon button", href: fileAddress(found.id, index), download: "", "aria-label": "Download the file", title: "Download the file" }, icon("save")) : null,
      close));
}

// The passage is shown, its neighbours among the hits get a quiet mark. False: it is not drawn yet.
// Whoever reads on is left alone: only another passage scrolls, only another list draws anew.
function mark(viewer, open, hits, act) {
  const passages = [...viewer.querySelectorAll(".passage")];
  const here = passages.find((passage) => passage.dataset.passage === open.passage);
  if (open.passage && !here) return false;
  const found = new Map(hits.map((hit) => [hit.id, hit]));
  const hit = found.get(open.passage);
  const was = shown;
  shown = { open, hits, here, hit };
  if (here === was.here && hits === was.hits) return true;
  for (const passage of passages) {
    if (passage.classList.contains("here")) made.get(passage)();
    const leaf = passage.querySelector(".leaf");
    if (leaf) explain(leaf, found.get(passage.dataset.passage)?.shares);
    passage.classList.toggle("found", found.has(passage.dataset.passage));
    passage.classList.toggle("here", passage === here);
    if (passage === here) passage.setAttribute("aria-current", "true");
    else passage.removeAttribute("aria-current");
  }
  const verdict = viewer.querySelector(".verdict");
  verdict.hidden = !hit;
  if (hit) {
    verdict.replaceChildren(
      el("p", {}, `Number ${number(hit.rank)} for “${hit.asked.query}”`),
      thumbs(hit, act));
  }
  if (here && hit) markWords(here.querySelector(".words") ?? here, hit);
  if (!here || here === was.here) return true;
  goTo(viewer, here);
  announce(`${viewer.querySelector("h2").textContent} is open at the passage.`);
  return true;
}

// More of the document is drawn, perhaps with more of what was found.
function remark(viewer, act) {
  const { open, hits } = shown;
  shown.hits = null;
  if (open) mark(viewer, open, hits, act);
}

// What a scanner or a PDF says stands on a page; it is read when somebody wants to.
function textOf(words, text) {
  if (!text.trim()) return el("p", { cls: "none" }, "This page has no text of its own.");
  return el("details", {}, el("summary", {}, "Text of the page"), words);
}

// A picture that comes later must not push the page away that was asked for.
function goTo(viewer, here) {
  const scroll = viewer.querySelector(".scroll");
  const picture = here.querySelector(".leaf img");
  const above = picture ? 0.04 : 0.22;
  const go = () => {
    const top = here.getBoundingClientRect().top - scroll.getBoundingClientRect().top + scroll.scrollTop;
    scroll.scrollTop = Math.max(0, top - scroll.clientHeight * above);
  };
  go();
  if (picture && !picture.complete) picture.addEventListener("load", go, { once: true });
}

// The words that matched in the snippet, wherever they stand in the passage.
function markWords(passage, hit) {
  const words = new Set(hit.snippet.filter(({ match }) => match).flatMap(({ text }) => text.toLowerCase().split(/\s+/)));
  if (!words.size) return;
  const escaped = [...words].map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  // A script without spaces has no ends of words to hold to.
  const among = new RegExp(`(?<![\\p{L}\\p{N}_](?<=[\\x00-\\u02ff]))(?:${escaped.join("|")})(?: (?:${escaped.join("|")}))*(?![\\x00-\\u02ff](?<=[\\p{L}\\p{N}_]))`, "giu");
  const walker = document.createTreeWalker(passage, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  for (const node of nodes) {
    const parts = [];
    let done = 0;
    for (const found of node.data.matchAll(among)) {
      parts.push(node.data.slice(done, found.index), el("mark", {}, found[0]));
      done = found.index + found[0].length;
    }
    if (parts.length) node.replaceWith(...parts, node.data.slice(done));
  }
}
