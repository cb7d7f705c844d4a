// The page: what a person does, what is asked of the service, what is drawn.

import * as api from "./api.js";
import { $, announce, counted, el, nameOf, number, openDialog } from "./dom.js";
import { askForFilter, drawChips, prepareFilters } from "./filters.js";
import { count, keep, showJudged } from "./judging.js";
import { current, prepareKeys, select } from "./keys.js";
import { drawLanes, fill, wrong } from "./results.js";
import { indexOf, keepAddress, readAddress, state } from "./state.js";
import { hideDocument, isOpen, showDocument } from "./viewer.js";

const TOP_K = 10;
const LISTED = 12;
// A busy service is asked again by itself, as often as this; then the person decides.
const AGAIN = 3;

let running = new AbortController();
let retry = 0;

const act = {
  ask: () => askAll(),
  askFor(question) {
    state.question = question;
    state.open = null;
    askAll({ keep: true });
  },
  changeFilters(filters) {
    state.filters = filters;
    if (filters.length && isOpen() && matchMedia("(max-width: 999px)").matches) state.open = null;
    askAll({ keep: true });
  },
  changeLane(place, changes) {
    Object.assign(state.lanes[place], changes);
    keepAddress();
    const radio = state.lanes[place].section?.querySelector(`input[value="${state.lanes[place].mode}"]`);
    if (radio) radio.checked = true;
    askLane(place);
    if (!place && "index" in changes) drawIndex();
  },
  openHit(place, hit) {
    state.open = { document: hit.document, passage: hit.id, lane: place };
    keepAddress({ replace: isOpen() });
    drawOpen();
  },
  closeDocument() {
    state.open = null;
    keepAddress();
    drawOpen();
  },
  judge: (hit, grade) => keep(hit, grade).then(count).catch(tell),
  hitOf: (card) => state.lanes[Number(card.dataset.lane)].result.hits.find((hit) => hit.id === card.dataset.passage),
};

async function askAll({ keep: change = false } = {}) {
  running.abort();
  running = new AbortController();
  if (change) keepAddress();
  $("question").value = state.question;
  drawChips(act);
  document.body.classList.toggle("start", !state.question.trim());
  if (!state.described.indices.length) return begin();
  drawOpen();
  if (!state.question.trim()) return drawLanes(act);
  for (const lane of state.lanes) lane.busy = true;
  drawLanes(act);
  await Promise.all(state.lanes.map((_, place) => askLane(place)));
}

async function askLane(place, tries = AGAIN) {
  const lane = state.lanes[place];
  if (!state.question.trim()) return;
  const signal = running.signal;
  const asked = (lane.asked = { query: state.question, mode: lane.mode, index: indexOf(lane).name });
  Object.assign(lane, { busy: true, error: null });
  fill(lane, place, act);
  try {
    const result = await api.search({ ...asked, top_k: TOP_K, filter: state.filters, shares: true }, signal);
    if (lane.asked !== asked) return;
    // An older list stays in sight until this one is there: a hit is judged by what it was found by.
    for (const hit of result.hits) hit.asked = asked;
    Object.assign(lane, { result, busy: false });
    announce(`${counted(result.hits.length, "passage")} found.`);
  } catch (error) {
    if (error.name === "AbortError" || lane.asked !== asked) return;
    const again = error.wait && tries > 0;
    Object.assign(lane, { error, result: null, busy: false });
    if (!again) error.wait = 0;
    else setTimeout(() => lane.asked === asked && !signal.aborted && askLane(place, tries - 1), 1000 * error.wait);
  }
  redraw();
}

// The lists, as they stand; whoever had the keyboard keeps it.
function redraw() {
  const chosen = current();
  const was = chosen && [chosen.dataset.lane, chosen.dataset.passage];
  const held = document.activeElement;
  const kind = held?.closest(".hit") === chosen ? held?.className : null;
  const inViewer = $("viewer").contains(held);
  state.lanes.forEach((lane, place) => lane.section?.isConnected && fill(lane, place, act));
  if (was) {
    const card = document.querySelector(`.hit[data-lane="${was[0]}"][data-passage="${was[1]}"]`);
    if (card) {
      select(card, { focus: kind !== null && !inViewer });
      if (kind?.startsWith("thumb")) card.querySelector(`.${kind.split(" ")[1]}`).focus();
    }
  }
  if (isOpen()) drawOpen();
}

function drawOpen() {
  if (!state.open) return hideDocument();
  const hits = state.lanes[state.open.lane]?.result?.hits ?? [];
  return showDocument(state.open, hits, act);
}

function tell(error) {
  announce(error.message);
  const note = el("p", { cls: "toast", role: "alert" }, error.message);
  document.body.append(note);
  setTimeout(() => note.remove(), 6000);
}

function compare() {
  if (state.lanes.length > 1) {
    state.lanes.pop();
  } else {
    const [first] = state.lanes;
    const other = state.described.indices.find((index) => index !== indexOf(first));
    const mode = first.mode === "dense" ? "lexical" : "dense";
    state.lanes.push(other ? { index: other.name, mode: first.mode } : { index: first.index, mode });
  }
  if (state.open?.lane) state.open = null;
  drawCompare();
  askAll({ keep: true });
}

function drawCompare() {
  $("compare").setAttribute("aria-pressed", String(state.lanes.length > 1));
}

// What the service has to be asked; until it says so, nothing can be.
async function begin() {
  clearTimeout(retry);
  try {
    state.described = await api.describe();
  } catch (error) {
    return failed(error);
  }
  const { notices } = state.described;
  $("notices").replaceChildren(...notices.map((notice) => el("p", {}, notice)));
  $("notices").hidden = !notices.length;
  for (const id of ["add-filter", "compare"]) $(id).disabled = false;
  drawCompare();
  await Promise.all([drawIndex(), count().catch(tell), askAll()]);
}

function failed(error) {
  const box = wrong(error, act);
  const shown = $("lanes").firstElementChild;
  // The same trouble is not told twice.
  if (shown?.textContent !== box.textContent) $("lanes").replaceChildren(box);
  if (error.wait) retry = setTimeout(begin, 1000 * error.wait);
}

async function drawIndex() {
  const index = indexOf(state.lanes[0]);
  const parts = [counted(index.documents, "document"), counted(index.passages, "passage"), `${index.model}, ${number(index.dimensions)} dimensions`];
  $("about").textContent = index.passages ? parts.join(" · ") : "This index is empty. Fill it with: biencoder index FOLDER --to INDEX";
  $("inside").hidden = true;
  if (!index.passages) return;
  try {
    const { data, has_more: more, total } = await api.documents(index.name, LISTED);
    const items = data.map((document) => el("li", {},
      el("button", { type: "button", cls: "link", onclick: () => act.openHit(0, { document: document.id, id: "" }) }, nameOf(document)),
      el("span", { cls: "place" }, document.source)));
    if (more) items.push(el("li", { cls: "rest" }, `and ${number(total - data.length)} more`));
    $("inside").querySelector("ul").replaceChildren(...items);
    $("inside").hidden = false;
  } catch (error) {
    tell(error);
  }
}

async function start() {
  readAddress();
  $("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    state.question = $("question").value.trim();
    if (!state.question) return $("question").focus();
    state.open = null;
    $("question").blur();
    askAll({ keep: true });
  });
  $("add-filter").addEventListener("click", askForFilter);
  $("compare").addEventListener("click", compare);
  $("help").addEventListener("click", () => openDialog($("help-dialog")));
  $("judged").addEventListener("click", () => showJudged(act));
  addEventListener("popstate", () => {
    const before = JSON.stringify([state.question, state.filters, state.lanes.map(({ index, mode }) => [index, mode])]);
    const lanes = state.lanes;
    readAddress();
    drawCompare();
    const now = JSON.stringify([state.question, state.filters, state.lanes.map(({ index, mode }) => [index, mode])]);
    if (now !== before) return askAll();
    state.lanes = lanes;
    return drawOpen();
  });
  prepareFilters(act);
  prepareKeys(act);
  await askAll();
  if (!state.question && !isOpen()) $("question").focus();
  document.body.dataset.ready = "yes";
}

start();
