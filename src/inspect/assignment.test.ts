import { describe, expect, test } from "vitest";
import { FEATURES, features, readCandidate } from "./assignment.ts";
import { filler } from "./detector.ts";
import { ASSIGNED_CREDENTIALS } from "./detectors/assigned.ts";
import { createScanner } from "./scanner.ts";

const scanner = createScanner(ASSIGNED_CREDENTIALS.detectors);
const found = (text: string): string[] => scanner.scan(text).map(({ start, end }) => text.slice(start, end));
const random = filler("base62", 24);
const hex = filler("hex", 40);

describe("the value assigned to a credential's name", () => {
  test.each([
    ["JavaScript", `const apiKey = "${random}";`, random],
    ["Python", `SECRET_KEY = '${random}'`, random],
    ["Go", `var accessToken string = "${random}"`, random],
    ["TypeScript", `const authToken: string = "${random}"`, random],
    ["Java", `private static final String CLIENT_SECRET = "${hex}";`, hex],
    ["PHP", `$db_password .= "${random}";`, random],
    ["Ruby", `:secret_token => '${hex}',`, hex],
    ["YAML", `  api_key: ${hex}`, hex],
    ["JSON", `{"client_secret": "${hex}"}`, hex],
    ["JSON in a string", `"{\\"client_secret\\":\\"${hex}\\"}"`, hex],
    ["shell", `export VENDOR_API_TOKEN=${hex}`, hex],
    ["XML element", `<apiToken>\n    ${hex}\n</apiToken>`, hex],
    ["XML attribute", `<add key="ApiSecret" value="${random}" />`, random],
    ["header", `Authorization: Bearer ${random}`, random],
    ["query", `https://api.fake.invalid/v1?access_token=${hex}&x=1`, hex],
    ["command line", `vendor login --token ${hex}`, hex],
    ["hanging on its name", `vendor-secret-${hex}`, hex],
    ["a function's argument", `client.setApiKey("${hex}")`, hex],
  ])("%s", (_, text, value) => expect(found(text)).toEqual([value]));
});

describe("a value hidden among what needs no measuring", () => {
  // Each was found before names were told from credentials without the model.
  test.each([
    ["behind words", `auth_key = "a b c ${random}"`],
    ["in pieces", `api_token = "${random.match(/.{6}/g)?.join(" ")}"`],
    ["of a word", `session = "production-${random}"`],
    ["under a licence's name", `token of SPDX-License-Identifier: ${hex}`],
  ])("%s", (_, text) => expect(found(text)).not.toEqual([]));
});

describe("what only looks like an assignment", () => {
  test.each([
    ["a call", "const token = await getToken(request);"],
    ["a property", "this.password = options.password;"],
    ["an environment variable", "apiKey: process.env.API_KEY,"],
    ["a template", `password=${"$"}{DB_PASSWORD}`],
    ["a Helm template", "password: {{ .Values.password }}"],
    ["prose", "the token is then used to access the session"],
    ["a label", 'passwordLabel: "Enter your password"'],
    ["a type", "interface Keys { publicKey: string; privateKey: Buffer }"],
    ["a comparison", 'if (key === "ArrowLeft") return;'],
    ["an import", 'import { tokenize } from "./tokenizer.ts";'],
    ["a stand-in", "api_key = XXXXXXXXXXXXXXXXXXXX"],
    ["an angle bracket", "password: <your password here>"],
    ["a constant", 'const TOKEN_HEADER = "X-Request-Token";'],
    ["a path", 'key_file = "/etc/ssl/private/server.key"'],
    ["a regular expression", "const KEY = /^[a-z]+$/;"],
  ])("%s", (_, text) => expect(found(text)).toEqual([]));
});

test("digests in a table are no credentials, a key among a few fields is one", () => {
  const digest = (at: number): string =>
    ((at + 3) * 0x9e3779b97f4a7).toString(16).padStart(16, "5c0ffee1").slice(0, 16);
  const row = (name: string, at: number): string => `  "Service::${name}": "${digest(at)}",\n`;
  const names = [
    "Alarm",
    "Bucket",
    "ApiKey",
    "Cluster",
    "Function",
    "SecretKey",
    "Queue",
    "Topic",
    "Table",
    "Group",
  ];
  expect(found(names.map(row).join(""))).toEqual([]);
  expect(found(["Alarm", "ApiKey", "SecretKey"].map(row).join(""))).not.toEqual([]);
});

test("the model's inputs have one name each", () => {
  const text = `token = "${random}"`;
  const candidate = readCandidate(text, 0, 5);
  expect(candidate).toMatchObject({ name: "token", operator: "assign", quoted: true, value: random });
  if (candidate !== null) expect(features(text, candidate).length).toBe(FEATURES.length);
  expect(new Set(FEATURES).size).toBe(FEATURES.length);
});
