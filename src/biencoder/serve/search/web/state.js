// What is asked, kept in the page's own address: it can be sent to a colleague, and Back goes back.

export const MODES = ["hybrid", "dense", "lexical"];

// described: what the service says of its indices. lanes: lists beside each other, one or two.
export const state = {
  described: { indices: [], modes: MODES, notices: [] },
  question: "",
  filters: [],
  lanes: [{ index: "", mode: "hybrid" }],
  open: null,
};

export const indexOf = (lane) =>
  state.described.indices.find((index) => index.name === lane.index) ?? state.described.indices[0];

export function readAddress() {
  const given = new URLSearchParams(location.search);
  state.question = given.get("q") ?? "";
  state.filters = given.getAll("f").map(parsed).filter(Boolean);
  state.lanes = [lane(given, "")];
  if (given.has("mode2") || given.has("index2")) state.lanes.push(lane(given, "2"));
  state.open = given.get("d") ? { document: given.get("d"), passage: given.get("p") ?? "", lane: 0 } : null;
  if (state.open && given.get("lane") === "2" && state.lanes[1]) state.open.lane = 1;
}

export function address(changes = {}) {
  const { question, filters, lanes, open } = { ...state, ...changes };
  const given = new URLSearchParams();
  if (question) given.set("q", question);
  for (const filter of filters) given.append("f", JSON.stringify(filter));
  lanes.forEach(({ index, mode }, place) => {
    const suffix = place ? String(place + 1) : "";
    if (index && index !== state.described.indices[0]?.name) given.set(`index${suffix}`, index);
    if (suffix || mode !== "hybrid") given.set(`mode${suffix}`, mode);
  });
  if (open) {
    given.set("d", open.document);
    if (open.passage) given.set("p", open.passage);
    if (open.lane) given.set("lane", "2");
  }
  const text = given.toString();
  return text ? `?${text}` : location.pathname;
}

export function keepAddress({ replace = false } = {}) {
  const next = address();
  const now = location.search || location.pathname;
  if (next !== now) history[replace ? "replaceState" : "pushState"](null, "", next);
  document.title = state.question ? `${state.question} · biencoder` : "Search · biencoder";
}

function lane(given, suffix) {
  const mode = given.get(`mode${suffix}`);
  return { index: given.get(`index${suffix}`) ?? "", mode: MODES.includes(mode) ? mode : "hybrid" };
}

function parsed(text) {
  try {
    const filter = JSON.parse(text);
    return typeof filter?.column === "string" && typeof filter?.operator === "string" ? filter : null;
  } catch {
    return null; // an address somebody wrote by hand
  }
}
