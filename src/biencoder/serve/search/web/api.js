// The service's routes, and its refusals as errors with a sentence for the person.

export class Refused extends Error {
  constructor(status, code, message, wait) {
    super(message);
    this.status = status;
    this.code = code;
    this.wait = wait;
  }
}

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "unreachable", "The service does not answer. Is it still running?", 0);
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body) return body;
  const told = body?.error ?? {};
  const wait = Number(response.headers.get("retry-after")) || 0;
  throw new Refused(response.status, told.code ?? "", told.message ?? `Status ${response.status}`, wait);
}

const query = (given) =>
  new URLSearchParams(Object.entries(given).filter(([, value]) => value !== "" && value != null));

const post = (path, body, signal) =>
  call(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });

export const describe = () => call("v1/search");
export const search = (body, signal) => post("v1/search", body, signal);
export const judge = (body) => post("v1/feedback", body);
export const judged = (index) => call(`v1/feedback?${query({ index })}`);
export const documents = (index, limit) => call(`v1/documents?${query({ index, limit })}`);
export const readDocument = (id, given) => call(`v1/documents/${encodeURIComponent(id)}?${query(given)}`);
export const fileAddress = (id, index) => `v1/documents/${encodeURIComponent(id)}/file?${query({ index })}`;
export const pictureAddress = (document, passage, index) =>
  `v1/documents/${encodeURIComponent(document)}/pages/${encodeURIComponent(passage)}/image?${query({ index })}`;
export const exportAddress = (index) => `v1/feedback/export?${query({ index })}`;
