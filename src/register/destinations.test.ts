import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { Fault } from "../core/index.ts";
import { isStale, overlay, parseDestinations, parseRows } from "./index.ts";

const starter = await readFile(join(import.meta.dirname, "../../register/destinations.yaml"), "utf8");
const NOW = Date.parse("2026-11-20");
const row = (more = ""): string =>
  `version: 1\nrows:\n- { id: own, host: llm.corp.internal, channel: llm, operator: us, law: [SELF], src: [contract], as_of: 2026-11-01${more} }\n`;

function refusal(text: string): string {
  try {
    parseRows(text, "own.yaml");
  } catch (thrown) {
    if (thrown instanceof Fault) return `${thrown.at}: ${thrown.detail}`;
  }
  return "accepted";
}

describe("the starter register", () => {
  const register = parseDestinations(starter, "destinations.yaml");
  test.each([
    ["api.anthropic.com", "/v1/messages", "anthropic-api"],
    ["api.anthropic.com", "/api/event_logging/v2/batch", "anthropic-api-side"],
    ["chatgpt.com", "/backend-api/codex/responses", "openai-chatgpt-backend"],
    ["copilot.business.githubcopilot.com", "/", "copilot-biz"],
    ["o1.ingest.sentry.io", "/", "anthropic-sentry"],
    ["europe-west4-aiplatform.googleapis.com", "/", "vertex-regional"],
    ["bedrock-runtime.eu-central-1.amazonaws.com", "/model/x/invoke", "bedrock-runtime"],
    ["bedrock-runtime.cn-north-1.amazonaws.com.cn", "/", "bedrock-china"],
    ["corp.openai.azure.com", "/openai", "azure-foundry"],
  ])("%s%s is row %s", (host, path, id) => {
    expect(register.find(host, path)?.id).toBe(id);
  });
  test.each([
    "api.anthropic.com.example.net",
    "xapi.anthropic.com",
    "a.b-aiplatform.googleapis.com",
    "githubcopilot.com.evil.example",
    "{customer}",
  ])("nothing is known of %s", (host) => {
    expect(register.find(host, "/")).toBeNull();
  });
});

describe("the organisation's own rows", () => {
  it("replace the starter's of the same id, add to it, and win for a host that both name", () => {
    const own = parseRows(
      row(", agreement: signed").replace(
        "id: own, host: llm.corp.internal",
        "id: openai-api, host: api.openai.com",
      ),
      "own.yaml",
    );
    const register = overlay(parseRows(starter, "s.yaml"), own);
    expect(register.find("api.openai.com", "/")).toMatchObject({ operator: "us", agreement: "signed" });
    expect(register.rows.filter(({ id }) => id === "openai-api")).toHaveLength(1);
  });
  test.each([
    ["version: 1\nrows: [{id: x, host: h}]", /rows\[0\] \(x\).*channel/],
    [row(", agreement: maybe"), /agreement/],
    [row().replace("as_of: 2026-11-01", "as_of: lately"), /as_of/],
    [row() + row().split("\n").slice(2).join("\n"), /`own` names two rows/],
    ["version: 2\nrows: []", /version/],
    ["rows: [", /own.yaml/],
  ])("a register that is not valid is refused at its place: %s", (text, problem) => {
    expect(refusal(text)).toMatch(problem);
  });
});

describe("a fact that nobody looks at", () => {
  const [only] = parseRows(row(', trains: "no", as_of_by: { trains: 2026-01-01 }'), "own.yaml");
  if (only === undefined) throw new Error("one row");
  it("grows stale by its own date", () => {
    expect(isStale(only, "trains", NOW)).toBe(true);
    expect(isStale(only, "law", NOW)).toBe(false);
  });
  it("grows stale with its row after 180 days", () => {
    expect(isStale(only, "law", Date.parse("2026-11-01") + 180 * 86_400_000)).toBe(false);
    expect(isStale(only, "law", Date.parse("2026-11-01") + 181 * 86_400_000)).toBe(true);
  });
});
