// A passage as elements: Markdown's commonest marks drawn, all else as it stands.

import { el } from "./dom.js";

const FENCE = /^\s*(`{3,}|~{3,})/;
const HEADING = /^\s{0,3}(#{1,6})\s+(.*?)(?:\s*\{\s*#[\w-]+\s*\})?\s*$/;
const ITEM = /^\s*(?:[*+-]|\d{1,3}[.)])\s+(.*)$/;
const ALERT = /^\/{3,}\s*(\w*)\s*(?:\|\s*(.*))?$/;
const INLINE = /(`[^`\n]+`|\*\*[^*\n]+\*\*|(?<![\w*])\*[^*\s][^*\n]*\*(?![\w*])|!?\[[^\]\n]*\]\([^)\s]*\))/;

export function prose(text, markdown) {
  return markdown ? blocks(text.split("\n")) : [el("p", { cls: "lines" }, unwrapped(text))];
}

// A page of a PDF breaks its lines where the paper ends: after a long line the sentence goes on.
function unwrapped(text) {
  const lines = text.split("\n");
  const longest = Math.max(...lines.map((line) => line.length));
  if (longest < 40 || longest > 160) return text;
  return lines.reduce((all, line, place) => {
    const last = lines[place - 1];
    if (place === 0) return line;
    if (last.length < 0.7 * longest || !line.trim() || /^\s*(?:[•*–-]|\d{1,3}[.)])\s/.test(line)) return `${all}\n${line}`;
    return all + (/[a-z]-$/.test(last) ? "" : " ") + line;
  }, "");
}

function blocks(lines) {
  const found = [];
  let paragraph = [];
  let items = null;
  const end = () => {
    if (paragraph.length) found.push(el("p", {}, inline(paragraph.join("\n"))));
    paragraph = [];
    items = null;
  };
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at];
    const fence = FENCE.exec(line);
    if (fence) {
      end();
      const code = [];
      while (++at < lines.length && !lines[at].trim().startsWith(fence[1])) code.push(lines[at]);
      if (code.length) found.push(el("pre", { tabindex: "0" }, el("code", {}, code.join("\n"))));
      continue;
    }
    const heading = HEADING.exec(line);
    const alert = ALERT.exec(line);
    const item = ITEM.exec(line);
    if (heading) {
      end();
      found.push(el("p", { cls: `heading h${heading[1].length}` }, inline(heading[2])));
    } else if (alert) {
      end();
      if (alert[1]) found.push(el("p", { cls: "alert" }, alert[2] || alert[1]));
    } else if (item) {
      if (paragraph.length) end();
      if (!items) found.push((items = el("ul")));
      items.append(el("li", {}, inline(item[1])));
    } else if (!line.trim()) {
      end();
    } else if (items && /^\s/.test(line)) {
      items.lastChild.append(" ", ...inline(line.trim()));
    } else {
      if (items) end();
      paragraph.push(line);
    }
  }
  end();
  return found;
}

function inline(text) {
  return text.split(INLINE).map((part, place) => {
    if (place % 2 === 0) return part;
    if (part.startsWith("`")) return el("code", {}, part.slice(1, -1));
    if (part.startsWith("**")) return el("strong", {}, part.slice(2, -2));
    if (part.startsWith("*")) return el("em", {}, part.slice(1, -1));
    return part.replace(/^!?\[([^\]]*)\].*$/s, "$1");
  });
}
