/** What the model was told of each tool call, read from requests in the dialects of the six agents. */

type Data = { readonly [name: string]: unknown };
const isData = (value: unknown): value is Data => typeof value === "object" && value !== null;
const list = (value: unknown): readonly Data[] => (Array.isArray(value) ? value.filter(isData) : []);
const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value ?? ""));

/** In the order of the calls, each once: later requests repeat earlier results. */
export function resultsOf(bodies: readonly string[]): readonly string[] {
  const found = new Map<string, string>();
  for (const body of bodies) {
    const request = parsed(body);
    if (request === null) continue;
    for (const [id, result] of [...messages(request), ...items(request), ...contents(request)])
      if (!found.has(id)) found.set(id, result);
  }
  return [...found.values()];
}

/** Anthropic Messages and OpenAI Chat Completions. */
const messages = (request: Data): [string, string][] =>
  list(request["messages"]).flatMap((message): [string, string][] => {
    if (message["role"] === "tool") return [[text(message["tool_call_id"]), text(message["content"])]];
    return list(message["content"])
      .filter((part) => part["type"] === "tool_result")
      .map((part) => [text(part["tool_use_id"]), text(part["content"])]);
  });

/** OpenAI Responses, also by frames that carry what is new only. */
const items = (request: Data): [string, string][] =>
  list(request["input"])
    .filter((item) => /_output$/.test(text(item["type"])))
    .map((item) => [text(item["call_id"]), text(item["output"])]);

/** Gemini names no calls: the place in the conversation does. */
const contents = (request: Data): [string, string][] =>
  list(request["contents"])
    .flatMap((content) => list(content["parts"]))
    .filter((part) => isData(part["functionResponse"]))
    .map((part, at) => [`gemini ${at}`, text((part["functionResponse"] as Data)["response"])]);

function parsed(body: string): Data | null {
  try {
    const value: unknown = JSON.parse(body);
    return isData(value) ? value : null;
  } catch {
    return null; // a side request of the agent's; it holds no results
  }
}
