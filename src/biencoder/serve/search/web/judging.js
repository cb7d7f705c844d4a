// Thumbs up and down, kept by the service; counted in the head of the page, taken away as a folder.

import { exportAddress, judge, judged } from "./api.js";
import { $, announce, counted, el, number, openDialog } from "./dom.js";
import { indexOf, state } from "./state.js";
import { keyOf } from "./results.js";

// Keep a grade; the same grade again takes it back. Every list that shows the passage follows.
export async function keep(place, hit, wanted) {
  const grade = hit.grade === wanted ? null : wanted;
  const lane = state.lanes[place];
  const same = state.lanes.flatMap((one) => one.result?.hits ?? []).filter((other) => keyOf(other) === keyOf(hit));
  const before = hit.grade;
  const set = (value) => [hit, ...same].forEach((other) => { other.grade = value; });
  set(grade);
  try {
    await judge({ query: state.question, passage: hit.id, grade, index: indexOf(lane)?.name, mode: lane.mode });
    announce(grade === null ? "Taken back." : grade ? "Kept: it answers the question." : "Kept: it does not answer.");
  } catch (error) {
    set(before);
    announce(`Not kept: ${error.message}`);
    throw error;
  }
}

export async function count() {
  const found = await judged(indexOf(state.lanes[0])?.name);
  const badge = $("judged-count");
  badge.textContent = number(found.judgements);
  badge.hidden = !found.judgements;
  $("judged").setAttribute("aria-label", `Judgements: ${number(found.judgements)}`);
  return found;
}

export async function showJudged(act) {
  const about = $("judged-about");
  const dialog = $("judged-dialog");
  const list = $("judged-questions");
  about.textContent = "…";
  list.replaceChildren();
  ready(false);
  if (!dialog.open) openDialog(dialog);
  try {
    const found = await count();
    about.textContent = found.judgements
      ? `${counted(found.questions.length, "question")}, ${counted(found.relevant, "passage")} marked as an answer, ${number(found.judgements - found.relevant)} as none.`
        + (found.not_in_index ? ` ${counted(found.not_in_index, "judgement")} on passages that this index no longer holds.` : "")
      : "Mark what answers a question and what does not. Your marks become a test set: they show whether another model, or another setting, finds more.";
    list.replaceChildren(...found.questions.slice(-50).reverse().map(({ query, relevant, irrelevant }) =>
      el("li", {},
        el("button", { type: "button", cls: "link", onclick: () => { dialog.close(); act.askFor(query); } }, query),
        el("span", { cls: "sum", "aria-label": `${relevant} answer, ${irrelevant} do not` }, `+${relevant}`, " ", `−${irrelevant}`))));
    ready(found.relevant > 0);
  } catch (error) {
    about.textContent = error.message;
  }
}

function ready(any) {
  $("judged-next").hidden = !any;
  const link = $("download");
  link.hidden = !any;
  link.href = exportAddress(indexOf(state.lanes[0])?.name);
}
