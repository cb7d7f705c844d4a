// Thumbs up and down, kept by the service; counted in the head of the page, taken away as a folder.

import { exportAddress, judge, judged } from "./api.js";
import { $, announce, counted, el, number, openDialog } from "./dom.js";
import { indexOf, state } from "./state.js";
import { keyOf, showGrades } from "./results.js";

// A passage's judgements that are on their way: the last of them, and what is kept by now.
const waiting = new Map();

// Keep a grade for the question that found the hit; the same grade again takes it back. Every list that
// shows the passage follows at once; the service is told one by one, so that the last word stays the last.
export async function keep(hit, wanted) {
  const grade = hit.grade === wanted ? null : wanted;
  const key = JSON.stringify([hit.asked.query, keyOf(hit)]);
  const line = waiting.get(key) ?? { last: Promise.resolve(), kept: hit.grade };
  waiting.set(key, line);
  show(hit, grade);
  const turn = line.last.then(() => judge({ ...hit.asked, passage: hit.id, grade }));
  const over = (line.last = turn.catch(() => {}));
  try {
    await turn;
    line.kept = grade;
    announce(grade === null ? "Taken back." : grade ? "Kept: it answers the question." : "Kept: it does not answer.");
  } catch (error) {
    error.message = `Not kept: ${error.message}`;
    throw error;
  } finally {
    if (line.last === over) {
      waiting.delete(key);
      show(hit, line.kept);
    }
  }
}

function show(hit, grade) {
  const hits = state.lanes.flatMap((lane) => lane.result?.hits ?? []);
  const same = hits.filter((other) => other.asked.query === hit.asked.query && keyOf(other) === keyOf(hit));
  for (const one of [hit, ...same]) one.grade = grade;
  showGrades();
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
