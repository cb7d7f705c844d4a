// One list of what was found: its heading with the way of searching, its cards, its empty states.

import { $, counted, el, icon, nameOf, number, placeOf } from "./dom.js";
import { pictureOf } from "./pages.js";
import { address, indexOf, MODES, state } from "./state.js";

const MEANING = {
  hybrid: "By meaning and by words",
  dense: "By meaning: the model's vectors",
  lexical: "By words: BM25",
};
const name = (mode) => mode[0].toUpperCase() + mode.slice(1);

// The same passage in two indices: an id belongs to one model.
export const keyOf = (hit) => JSON.stringify([hit.source, hit.page, hit.start, hit.text]);

export function drawLanes(act) {
  $("lanes").replaceChildren(...state.lanes.map((lane, place) => drawLane(lane, place, act)));
  document.body.classList.toggle("comparing", state.lanes.length > 1);
}

export function drawLane(lane, place, act) {
  const section = el(
    "section",
    { cls: "lane", data: { lane: place }, "aria-label": place ? "Right list" : "What was found" },
    header(lane, place, act),
    el("div", { cls: "body" }),
  );
  lane.section = section;
  fill(lane, place, act);
  return section;
}

export function fill(lane, place, act) {
  const body = lane.section.querySelector(".body");
  const tally = lane.section.querySelector(".tally");
  lane.section.setAttribute("aria-busy", String(Boolean(lane.busy)));
  tally.textContent = "";
  if (lane.error) return body.replaceChildren(wrong(lane.error, act));
  if (!lane.result) return body.replaceChildren(...(lane.busy ? skeletons() : []));
  const { hits, milliseconds } = lane.result;
  tally.textContent = `${counted(hits.length, "passage")} · ${number(Math.max(1, Math.round(milliseconds.total)))} ms`;
  if (!hits.length) return body.replaceChildren(nothing(lane, place, act));
  const other = state.lanes[1 - place]?.result?.hits;
  const ranks = other && new Map(other.map((hit) => [keyOf(hit), hit.rank]));
  const best = Math.max(...hits.map((hit) => hit.score));
  body.replaceChildren(el("ol", { cls: "hits" }, hits.map((hit) => card(hit, place, { best, ranks, act }))));
}

function header(lane, place, act) {
  const modes = MODES.map((mode) =>
    el("label", { title: MEANING[mode] },
      el("input", {
        type: "radio", name: `mode${place}`, value: mode, checked: mode === lane.mode,
        onchange: () => act.changeLane(place, { mode }),
      }),
      el("span", {}, name(mode))),
  );
  const indices = state.described.indices;
  const chosen = indexOf(lane)?.name;
  const choose = indices.length < 2 ? null : el("select", {
    "aria-label": "Index",
    onchange: (event) => act.changeLane(place, { index: event.target.value }),
  }, indices.map((index) => el("option", { value: index.name, selected: index.name === chosen }, `${index.name} · ${index.model}`)));
  return el("header", { cls: "lane-head" },
    el("div", { cls: "modes", role: "radiogroup", "aria-label": "Way of searching" }, modes),
    choose,
    el("span", { cls: "tally" }));
}

function card(hit, place, { best, ranks, act }) {
  const headings = hit.heading ? hit.heading.split(" > ") : [];
  const title = headings.at(-1) || nameOf(hit);
  const above = headings.length > 1 ? headings.slice(0, -1) : [];
  const link = el("a", {
    href: address({ open: { document: hit.document, passage: hit.id, lane: place } }),
    onclick: (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
      event.preventDefault();
      act.openHit(place, hit);
    },
  }, title);
  const share = el("span", { cls: "share", "aria-hidden": "true" }, el("i"));
  share.firstChild.style.width = `${best > 0 ? Math.max(4, Math.round((100 * hit.score) / best)) : 4}%`;
  return el("li", { cls: hit.pictured ? "hit pictured" : "hit", data: { passage: hit.id, lane: place } },
    el("span", { cls: "rank" }, String(hit.rank), moved(hit, ranks)),
    el("article", { onclick: (event) => {
      if (!event.target.closest("a") && getSelection().isCollapsed) act.openHit(place, hit);
    } },
      el("p", { cls: "place" }, placeOf(hit)),
      el("h3", {}, link, above.length ? el("small", {}, ` in ${above.join(" › ")}`) : null),
      snippet(hit),
      tags(hit),
      el("p", { cls: "scores" }, share, scores(hit))),
    thumbs(hit, act));
}

// A page shows itself beside its words; the picture says no more than the link above it does.
function snippet(hit) {
  const words = hit.snippet.map(({ text, match }) => (match ? el("mark", {}, text) : text));
  const said = hit.text.trim() ? el("p", { cls: "snippet" }, words) : el("p", { cls: "snippet none" }, "A page image without text");
  if (!hit.pictured) return said;
  return el("div", { cls: "beside" }, pictureOf(hit, hit.asked.index, "", { loading: "lazy", cls: "small" }), said);
}

// The score that ranked it; where two were fused, these too.
function scores({ score, scores: { dense, lexical } }) {
  const fused = score !== dense && score !== lexical;
  return [
    fused ? el("span", { title: "Both likenesses in one score" }, `score ${score.toFixed(2)}`) : null,
    dense === null ? null : el("span", { title: "Likeness in meaning" }, `cosine ${dense.toFixed(3)}`),
    lexical === null ? null : el("span", { title: "Likeness in words" }, `BM25 ${lexical.toFixed(1)}`),
  ];
}

function tags(hit) {
  const entries = Object.entries(hit.metadata);
  return entries.length
    ? el("p", { cls: "tags" }, entries.map(([key, value]) => el("span", {}, `${key} ${value}`)))
    : null;
}

// What a pair of thumbs is about.
const judged = new WeakMap();

export function thumbs(hit, act) {
  const one = (grade, picture, label) =>
    el("button", {
      type: "button", cls: `thumb ${picture}`, "aria-label": label, title: label,
      onclick: () => act.judge(hit, grade),
    }, icon(picture));
  const pair = el("div", { cls: "thumbs", role: "group", "aria-label": "Does it answer the question?" },
    one(1, "up", "It answers the question (u)"),
    one(0, "down", "It does not (d)"));
  judged.set(pair, hit);
  showGrade(pair);
  return pair;
}

function showGrade(pair) {
  const { grade } = judged.get(pair);
  pair.querySelector(".up").setAttribute("aria-pressed", String(grade > 0));
  pair.querySelector(".down").setAttribute("aria-pressed", String(grade === 0));
}

// In place: a list that is drawn anew takes the pressed button, and the keyboard with it, away.
export const showGrades = () => document.querySelectorAll(".thumbs").forEach(showGrade);

function moved(hit, ranks) {
  if (!ranks) return null;
  const there = ranks.get(keyOf(hit));
  if (there === undefined) return el("small", { cls: "moved only", title: "Only in this list" }, "only");
  const by = there - hit.rank;
  if (by === 0) return el("small", { cls: "moved", title: "At the same place in the other list" }, "=");
  return el("small", { cls: "moved", title: `Number ${there} in the other list` }, `${by > 0 ? "↑" : "↓"}${Math.abs(by)}`);
}

function skeletons() {
  return [el("div", { cls: "skeletons", "aria-hidden": "true" }, [0, 1, 2, 3].map(() =>
    el("div", { cls: "skeleton" }, el("i"), el("i"), el("i"), el("i"))))];
}

function nothing(lane, place, act) {
  const filtered = state.filters.length > 0;
  const way = filtered
    ? ["No passage meets the filters and the question together.", "Without filters", () => act.changeFilters([])]
    : ["No passage shares a word with the question.", "Search by meaning", () => act.changeLane(place, { mode: "dense" })];
  const useful = filtered || lane.mode === "lexical";
  return el("div", { cls: "plain" },
    el("h2", {}, "Nothing was found"),
    el("p", {}, useful ? way[0] : "This index holds no passage."),
    useful ? el("button", { type: "button", cls: "primary", onclick: way[2] }, way[1]) : null);
}

export function wrong(error, act) {
  const titles = { 0: "No answer", 401: "A key is needed", 429: "Busy", 503: "Not ready yet" };
  return el("div", { cls: "plain failed", role: "alert" },
    el("h2", {}, titles[error.status] ?? "That did not work"),
    el("p", {}, error.message),
    error.wait ? el("p", { cls: "wait" }, `Trying again in ${counted(error.wait, "second")}.`) : null,
    el("button", { type: "button", cls: "primary", onclick: () => act.ask() }, "Try again"));
}
