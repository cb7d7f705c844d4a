// Filters as chips, and the small form that makes one: typed by the index's columns.

import { $, el, icon, openDialog } from "./dom.js";
import { indexOf, state } from "./state.js";

const HIDDEN = new Set(["id", "number", "start", "end", "tokens"]);
const ORDER = ["=", "!=", "<", "<=", ">", ">="];
const OPERATORS = {
  text: ["starts_with", "=", "contains", "!=", "not_null", "is_null"],
  integer: [...ORDER, "not_null", "is_null"],
  number: [...ORDER, "not_null", "is_null"],
  boolean: ["=", "not_null", "is_null"],
};
const WORDS = {
  "=": "is", "!=": "is not", "<": "below", "<=": "at most", ">": "above", ">=": "at least",
  starts_with: "begins with", contains: "contains", is_null: "is missing", not_null: "is there", in: "is one of",
};
const bare = (operator) => operator === "is_null" || operator === "not_null";

const columns = () => (indexOf(state.lanes[0])?.columns ?? []).filter(({ name }) => !HIDDEN.has(name));
const column = () => columns().find(({ name }) => name === $("filter-column").value);

export function drawChips(act) {
  $("chips").replaceChildren(...state.filters.map((filter, place) => {
    const shown = bare(filter.operator) ? "" : String(filter.value);
    const words = `${filter.column} ${WORDS[filter.operator] ?? filter.operator} ${shown}`.trim();
    return el("li", {},
      el("span", {}, `${filter.column} `, el("small", {}, WORDS[filter.operator] ?? filter.operator), shown ? ` ${shown}` : ""),
      el("button", {
        type: "button", "aria-label": `Remove the filter: ${words}`, title: "Remove",
        onclick: () => act.changeFilters(state.filters.filter((_, other) => other !== place)),
      }, icon("close")));
  }));
}

export function askForFilter() {
  $("filter-error").textContent = "";
  $("filter-column").replaceChildren(...columns().map(({ name }) => el("option", { value: name }, name)));
  chooseColumn();
  openDialog($("filter-dialog"));
}

export function prepareFilters(act) {
  $("filter-column").addEventListener("change", chooseColumn);
  $("filter-operator").addEventListener("change", showValue);
  $("filter-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const operator = $("filter-operator").value;
    const [value, mistake] = bare(operator) ? [null, ""] : read();
    $("filter-error").textContent = mistake;
    if (mistake) return $("filter-value").focus();
    $("filter-dialog").close();
    act.changeFilters([...state.filters, { column: column().name, operator, value }]);
  });
}

function chooseColumn() {
  const { type, values } = column();
  $("filter-operator").replaceChildren(...OPERATORS[type].map((operator) => el("option", { value: operator }, WORDS[operator])));
  const input = $("filter-value");
  input.value = "";
  input.inputMode = type === "integer" ? "numeric" : type === "number" ? "decimal" : "text";
  input.placeholder = type === "boolean" ? "true or false" : "";
  const choices = type === "boolean" ? ["true", "false"] : values.map(String);
  $("filter-values").replaceChildren(...[...folders(choices), ...choices].map((value) => el("option", { value })));
  showValue();
}

function showValue() {
  $("filter-value-label").hidden = bare($("filter-operator").value);
}

// Of paths also their folders: most filters want one.
function folders(values) {
  if (column().name !== "source") return [];
  const found = new Set(values.flatMap((value) => {
    const parts = value.split("/").slice(0, -1);
    return parts.map((_, last) => `${parts.slice(0, last + 1).join("/")}/`);
  }));
  return [...found].sort();
}

function read() {
  const { type } = column();
  const text = $("filter-value").value;
  if (type === "text") return text ? [text, ""] : [null, "Give a value."];
  if (type === "boolean") return /^(true|false)$/i.test(text) ? [text.toLowerCase() === "true", ""] : [null, "It is true or false."];
  const value = text.trim() === "" ? Number.NaN : Number(text);
  const fits = type === "integer" ? Number.isSafeInteger(value) : Number.isFinite(value);
  return fits ? [value, ""] : [null, type === "integer" ? "Give a whole number." : "Give a number."];
}
