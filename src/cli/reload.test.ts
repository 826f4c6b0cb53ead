import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { layer, parseDocument } from "../policy/index.ts";
import { WatchedDocuments } from "./reload.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "reload-"));
  mkdirSync(join(folder, "work"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const text = (verdict: "allow" | "deny", name = "mine"): string =>
  `apiVersion: sallyport/v1\nkind: Profile\nmetadata: { name: ${name}, owner: me }\nnetwork: { default: deny }\nsend: { default: ${verdict} }\n`;

function watched(file: string): WatchedDocuments {
  writeFileSync(file, text("deny"));
  return new WatchedDocuments(
    layer([parseDocument(text("deny"), file)]),
    join(folder, "work"),
    parseDocument,
  );
}

test("a changed profile is read once and taken up when it is told so", async () => {
  const file = join(folder, "mine.yaml");
  const documents = watched(file);
  expect(documents.hasChanged).toBe(false);
  expect(await documents.read()).toBeNull();
  writeFileSync(file, text("allow"));
  expect(documents.hasChanged).toBe(true);
  const fresh = await documents.read();
  expect(fresh?.layers[0]?.send.allows).toBe(true);
  expect(documents.hasChanged, "until it is in force it is tried again").toBe(true);
  if (fresh !== null) documents.take(fresh);
  expect(documents.hasChanged).toBe(false);
});

test.each<[what: string, spoil: (file: string) => void, code: string]>([
  ["does not parse", (file) => writeFileSync(file, "kind: Profile\n"), "policy.invalid"],
  ["is gone", (file) => rmSync(file), "profile.unreadable"],
  [
    "has become another kind",
    (file) =>
      writeFileSync(
        file,
        "apiVersion: sallyport/v1\nkind: Guardrails\nmetadata: { name: mine, owner: me }\n",
      ),
    "policy.invalid",
  ],
])("a document that %s is not taken up, and not tried again until it changes", async (_, spoil, code) => {
  const file = join(folder, "mine.yaml");
  const documents = watched(file);
  spoil(file);
  await expect(documents.read()).rejects.toMatchObject({ code });
  expect(documents.hasChanged).toBe(false);
});

test("T41 a link to where the agent can write is not taken up either", async () => {
  const target = join(folder, "work/mine.yaml");
  const link = join(folder, "mine.yaml");
  writeFileSync(target, text("deny"));
  symlinkSync(target, link);
  const documents = new WatchedDocuments(
    layer([parseDocument(text("deny"), link)]),
    join(folder, "work"),
    parseDocument,
  );
  writeFileSync(target, text("allow"));
  expect(await documents.read()).toBeNull();
});

test("T41 what the agent can write is not taken up: it would write its own permission", async () => {
  const file = join(folder, "work/mine.yaml");
  const documents = watched(file);
  writeFileSync(file, text("allow"));
  expect(documents.hasChanged).toBe(false);
  expect(await documents.read()).toBeNull();
});
