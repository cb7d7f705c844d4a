// A page by its looks: its picture, and where on it the score comes from.

import { pictureAddress } from "./api.js";
import { el } from "./dom.js";

const SAID =
  "Each number is the share of the score that the tokens of this part contribute. It shows where the number came from, not why: each part has also read its neighbours through the text model.";

// Once wanted, wanted on the next page too.
let wanted = false;

export const pictureOf = (hit, index, alt, given = {}) =>
  el("img", { src: pictureAddress(hit.document, hit.id, index), alt, decoding: "async", ...given });

// One page in the opened document; passage: as the service gives it.
export function figure(document, passage, index) {
  const said = passage.page === null ? "The page as an image" : `Page ${passage.page} as an image`;
  const sheet = el("div", { cls: "sheet" },
    pictureOf({ document, id: passage.id }, index, said, { loading: "lazy" }));
  return el("figure", { cls: "leaf" }, el("div", { cls: "ask" }), sheet, el("div", { cls: "why" }));
}

// Puts the shares over the picture of a hit, or takes them away from a page that is none.
export function explain(leaf, shares) {
  const sheet = leaf.querySelector(".sheet");
  const why = leaf.querySelector(".why");
  for (const old of sheet.querySelectorAll(".tile")) old.remove();
  const ask = leaf.querySelector(".ask");
  ask.replaceChildren();
  why.replaceChildren();
  if (!shares) return;
  // One measure for picture and table: what hardly counts is hardly coloured.
  const most = Math.max(...rowsOf(shares).map(([, share]) => Math.abs(share)), 1e-9);
  const tiles = shares.tiles.map(({ box: [left, top, right, bottom], share }, place) => {
    const tile = el("div", { cls: share < 0 ? "tile against" : "tile", "aria-hidden": "true" },
      el("b", {}, String(place + 1)), el("small", {}, signed(share)));
    const percent = (value) => `${100 * value}%`;
    Object.assign(tile.style, { left: percent(left), top: percent(top), width: percent(right - left), height: percent(bottom - top) });
    tile.style.setProperty("--strength", (Math.abs(share) / most).toFixed(3));
    return tile;
  });
  const list = el("div", { cls: "shares", id: `shares-${leaf.parentElement.dataset.passage}` }, table(shares, most), el("p", {}, SAID));
  const button = el("button", {
    type: "button", cls: "quiet where", "aria-controls": list.id, title: "Where the score comes from (w)",
    onclick: () => { wanted = !wanted; show(); },
  }, "Where the score comes from");
  const show = () => {
    button.setAttribute("aria-pressed", String(wanted));
    list.hidden = !wanted;
    for (const tile of tiles) tile.hidden = !wanted;
  };
  show();
  sheet.append(...tiles);
  ask.append(button);
  why.append(list);
}

function rowsOf({ tiles, thumbnail, rest }) {
  const one = tiles.length === 1;
  const rows = tiles.map(({ box, share }, place) => [one ? "The page" : `Part ${place + 1}, ${placeIn(box)}`, share]);
  if (thumbnail !== null) rows.push(["The whole page, seen small", thumbnail]);
  rows.push(["The page's text and the prompt", rest]);
  return rows;
}

function table(shares, most) {
  return el("table", {},
    el("caption", { cls: "hidden" }, "Shares of the score"),
    el("tbody", {}, rowsOf(shares).map(([name, share]) => row(name, share, most))),
    el("tfoot", {}, el("tr", {}, el("th", { scope: "row" }, "Together: the cosine"), el("td", {}, signed(shares.score)), el("td", {}))));
}

function row(name, share, most) {
  const bar = el("i", { cls: share < 0 ? "against" : null });
  bar.style.width = `${Math.round((100 * Math.abs(share)) / most)}%`;
  return el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, signed(share)), el("td", { "aria-hidden": "true" }, bar));
}

const signed = (value) => `${value < 0 ? "−" : ""}${Math.abs(value).toFixed(3)}`;

// Where a part lies, in words: a grid is of a few columns and rows.
function placeIn([left, top, right, bottom]) {
  const across = side(left, right, ["left", "centre", "right"]);
  const down = side(top, bottom, ["top", "middle", "bottom"]);
  return [down, across].filter(Boolean).join(" ") || "all of it";
}

function side(from, to, [first, middle, last]) {
  if (to - from > 0.99) return "";
  if (from < 0.01) return first;
  if (to > 0.99) return last;
  const between = Math.round(from / (to - from)) + 1;
  return to - from > 0.3 ? middle : `${middle} ${between}`;
}
