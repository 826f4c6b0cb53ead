/** Credentials known by the name they are assigned to. What is read and how it is judged: ../assignment.ts. */
import { type Candidate, features, readCandidate, surprise } from "../assignment.ts";
import { type Family, filler, isStandIn, OWN_LICENCE, type Reader } from "../detector.ts";
import { isCredential } from "../model.ts";

/** Parts of names that speak of a credential. */
export const CREDENTIAL_WORDS: readonly string[] = [
  "passw",
  "pass_",
  "pass=",
  "pass:",
  'pass"',
  "pass'",
  "pass ",
  "passphrase",
  "passcode",
  "pwd",
  "secret",
  "token",
  "key",
  "auth",
  "cred",
  "private",
  "access",
  "bearer",
  "basic ",
  "cipher",
  "login",
  "session",
  "signature",
  "cookie",
  "license",
  "seed",
  "jwt",
  "salt",
  "psk",
  "unseal",
  "_pat",
  "-pat",
  " pat ",
];

/** Vendors whose credentials are met assigned to the vendor's bare name. */
export const VENDOR_WORDS: readonly string[] = [
  "algolia",
  "asana",
  "bitbucket",
  "cloudflare",
  "discord",
  "dropbox",
  "facebook",
  "heroku",
  "hubspot",
  "mailchimp",
  "mailgun",
  "mailjet",
  "notion",
  "openweather",
  "pyowm",
  "owm",
  "pepipost",
  "postmark",
  "sendgrid",
  "sentry",
  "shopify",
  "slack",
  "snyk",
  "sonar",
  "stripe",
  "surveybot",
  "telegram",
  "telnyx",
  "twilio",
  "twitter",
  "zendesk",
];

/** Nothing to ask a model about: a variable, a template's gap, one character over and over. */
const isTemplate = (value: string): boolean =>
  /^\$[A-Za-z_{(]|^\$\{|^\{\{|^<[^>]*>$|^%[A-Za-z_]+%$|[xX*#.0]{8}|^\(?process\.env|^os\.|_?x{6}/.test(
    value,
  ) ||
  (value.length < 40 && isStandIn(value));

/**
 * Words and small numbers, as prose and version lists are made of, and ids: behind a mere comma or
 * a backtick they are read as such, whatever the model thinks. Found in agents' own instructions: "pass the `cursor` its last page gave",
 * "thinking-token-count-2026-05-13,advanced-tool-use-2025-11-20", "session-state/<a UUID>".
 */
const WORDS = /^(?:[A-Za-z]+|\d{1,4})(?:[-_., /](?:[A-Za-z]+|\d{1,4}))*$/;
const UUID = /(?:^|\/)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** What a declaration says about a field, and how its value may be encrypted. */
const TYPE =
  /^(?:number|string|boolean|bool|str|bytes|int(?:\d+|eger)?|float\d*|double|object|any|unknown|void|never|optional)$/i;
const CIPHER_SUITE = /^(?:TLS|SSL|ECDHE|DHE|EDH|ECDH|AES\d*|CAMELLIA\d*|CHACHA20|PSK)[-_][A-Z0-9_-]+$/;
const isProse = ({ name, operator, value, start }: Candidate, text: string): boolean => {
  // A session's UUID names it; a session's token opens it, and says so in its name.
  if (UUID.test(value) && /session/i.test(name) && !/token|secret|key|auth|cookie/i.test(name)) return true;
  if (TYPE.test(value) || CIPHER_SUITE.test(value)) return true;
  // The next of a list of names, as bundlers write them: `isKeyboardOpen, $2224c9ee07fd529d$export$c57958e3 as …`.
  if (operator === "comma") return WORDS.test(value) || /^\$[\w$]+$/.test(value);
  return operator === "space" && text[start - 1] === "`" && WORDS.test(value);
};

/**
 * A name, an expression or a small number, behind a name that speaks of a credential and of no password:
 * `"result_key": "EntitlementList"`, `max_tokens: 1024`. The model gives such a value 0.31 at most, in its corpora and in 70 MB
 * of ordinary source alike (2026-12-01), so it need not be asked.
 */
const isName = ({ name, value }: Candidate): boolean =>
  !/pass|pwd|psw|psk|secret/i.test(name) &&
  (/^\d{1,6}$/.test(value) ||
    (value.length < LONGEST_NAME && !MANY_DIGITS.test(value) && surprise(value) < NAMES_SURPRISE));
const MANY_DIGITS = /\d(?:\D*\d){3}/;
const NAMES_SURPRISE = 5;
/** What `surprise` reads. */
const LONGEST_NAME = 80;

/** Of a signed link: which key signed it, and for what. */
const KEY_ID = /x-(?:amz|goog)-credential$/i;

/**
 * Digests in a table are no credentials, though some of their names speak of one (`"AWS::KMS::Key": "8095f49d3b9d3b1a"`
 * among hundreds): round such a value stand others of the same length and alphabet whose names do not.
 */
const TABLE_REACH = 1_000;
const TABLE_ROWS = 6;
const NAME_REACH = 64;
const SPEAKS = new RegExp(CREDENTIAL_WORDS.map((word) => word.trim()).join("|"), "i");

const isOfTable = (text: string, { value, start, end }: Candidate): boolean => {
  const alphabet = /^[0-9a-f]+$/.test(value)
    ? "0-9a-f"
    : /^[0-9A-F]+$/.test(value)
      ? "0-9A-F"
      : /^[A-Za-z0-9+/]+={0,2}$/.test(value)
        ? "A-Za-z0-9+/="
        : null;
  if (alphabet === null || value.length < SHORTEST_DIGEST || value.length > LONGEST_DIGEST) return false;
  const from = Math.max(0, start - TABLE_REACH);
  const round = text.slice(from, end + TABLE_REACH);
  const alike = new RegExp(`(?<![${alphabet}])[${alphabet}]{${value.length}}(?![${alphabet}])`, "g");
  let rows = 0;
  for (const { index, 0: other } of round.matchAll(alike)) {
    if (index + from === start || !/\d/.test(other) || !/[A-Za-z]/.test(other)) continue;
    const before = round.slice(Math.max(0, index - NAME_REACH), index);
    const name = before.slice(Math.max(before.lastIndexOf("\n"), before.lastIndexOf(",")) + 1);
    if (!SPEAKS.test(name) && ++rows === TABLE_ROWS) return true;
  }
  return false;
};
const SHORTEST_DIGEST = 8;
const LONGEST_DIGEST = 128;

const DIGESTS = ["Alarm", "Bucket", "Cluster", "ApiKey", "Function", "Group", "Queue", "Topic"]
  .map((name, at) => `    "Service::${name}": "${filler("hex", 40).slice(at * 2, at * 2 + 16)}",\n`)
  .join("");

/** Whether the model is asked about a candidate of the text; bench/inspect/train.ts fits it on such alone. */
export const isAsked = (found: Candidate, text: string): boolean =>
  !(isTemplate(found.value) || isProse(found, text) || KEY_ID.test(found.name) || isName(found));

const ASSIGNED: Reader = {
  id: "assigned-credential",
  class: "secret",
  title: "A credential by the name it is assigned to",
  source: "https://cwe.mitre.org/data/definitions/798.html",
  on: { anchors: [...CREDENTIAL_WORDS, ...VENDOR_WORDS] },
  read: (text, start, end) => {
    const found = readCandidate(text, start, end);
    if (found === null || !isAsked(found, text)) return null;
    if (!isCredential(features(text, found)) || isOfTable(text, found)) return [];
    return { start: found.start, end: found.end, verified: false };
  },
  examples: [
    `db_password = "${filler("base62", 20)}"`,
    `{"client_secret": "${filler("hex", 40)}"}`,
    `Authorization: Bearer ${filler("base62", 40)}`,
  ],
  counterexamples: [
    'password: "Enter your password"',
    "token = await getToken(request)",
    "const apiKey = process.env.API_KEY",
    `password=${"$"}{DB_PASSWORD}`,
    "for the next one, pass the `cursor` its last page gave you",
    '{"account_uuid":"","session_id":"6c6fedc2-8998-4589-8174-1c4772499ce8"}',
    "Session folder: /home/agent/.copilot/session-state/01a1fa06-1975-4640-963d-9014820a88ae",
    "thinking-token-count-2026-05-13,advanced-tool-use-2025-11-20,mid-conversation-2026",
    "?X-Amz-Credential=ASIAQWERTYUIOPASDFGH/20261130/us-east-1/s3/aws4_request&x=1",
    DIGESTS,
    "interface Grader { pass_threshold?: number; }",
    '"ciphers": ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"]',
    "export { $2224c9ee07fd529d$export$b1f1c83775b8b5f7 as isKeyboardOpen, $2224c9ee07fd529d$export$c57958e35f31ed73 as x }",
  ],
};

export const ASSIGNED_CREDENTIALS: Family = {
  name: "assigned credentials",
  written: "2026-11-20",
  licence: OWN_LICENCE,
  detectors: [ASSIGNED],
};
