// The keyboard: every key is a letter without a modifier, and none is taken while somebody writes.

import { $, openDialog } from "./dom.js";
import { isOpen } from "./viewer.js";

export const cards = (place) => [...document.querySelectorAll(`.hit[data-lane="${place}"]`)];
export const current = () => document.querySelector(".hit.current");

export function select(card, { focus = true } = {}) {
  current()?.classList.remove("current");
  if (!card) return;
  card.classList.add("current");
  if (focus) card.querySelector("h3 a").focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}

export function prepareKeys(act) {
  document.addEventListener("focusin", ({ target }) => {
    const card = target.closest?.(".hit");
    if (card && card !== current()) select(card, { focus: false });
  });
  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const writing = target.matches("input:not([type=radio]), select, textarea");
    if (key === "Escape") {
      if (target === $("question")) target.blur();
      else if (isOpen()) act.closeDocument();
      return;
    }
    if (writing) {
      if (key === "ArrowDown" && target === $("question") && cards(0).length) {
        event.preventDefault();
        select(cards(0)[0]);
      }
      return;
    }
    const does = actions(act)[key];
    if (!does) return;
    event.preventDefault();
    does();
  });
}

function actions(act) {
  const judge = (grade) => {
    const card = current();
    if (card) act.judge(act.hitOf(card), grade);
  };
  return {
    "/": () => {
      if ($("question").closest("[inert]")) act.closeDocument();
      $("question").focus();
      $("question").select();
    },
    j: () => step(1, act),
    k: () => step(-1, act),
    h: () => cross(0),
    l: () => cross(1),
    u: () => judge(1),
    d: () => judge(0),
    w: () => document.querySelector(".passage.here .where")?.click(),
    f: () => $("add-filter").click(),
    c: () => $("compare").click(),
    t: () => $("theme").click(),
    "?": () => openDialog($("help-dialog")),
  };
}

function step(by, act) {
  const place = Number(current()?.dataset.lane ?? 0);
  const all = cards(place);
  const at = all.indexOf(current());
  const next = at < 0 ? all[0] : all[Math.min(all.length - 1, Math.max(0, at + by))];
  if (!next || next === current()) return;
  select(next);
  if (isOpen()) act.openHit(place, act.hitOf(next));
}

function cross(place) {
  const at = cards(Number(current()?.dataset.lane ?? 0)).indexOf(current());
  const all = cards(place);
  select(all[Math.min(all.length - 1, Math.max(0, at))]);
}
