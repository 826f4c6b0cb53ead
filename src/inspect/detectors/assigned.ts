/** Credentials known by the name they are assigned to. What is read and how it is judged: ../assignment.ts. */
import { features, readCandidate } from "../assignment.ts";
import { type Family, filler, isStandIn, OWN_LICENCE, type Reader } from "../detector.ts";
import { score, THRESHOLD } from "../model.ts";

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

const ASSIGNED: Reader = {
  id: "assigned-credential",
  class: "secret",
  title: "A credential by the name it is assigned to",
  source: "https://cwe.mitre.org/data/definitions/798.html",
  on: { anchors: [...CREDENTIAL_WORDS, ...VENDOR_WORDS] },
  read: (text, start, end) => {
    const found = readCandidate(text, start, end);
    if (found === null || isTemplate(found.value)) return null;
    if (score(features(text, found)) < THRESHOLD) return [];
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
  ],
};

export const ASSIGNED_CREDENTIALS: Family = {
  name: "assigned credentials",
  written: "2026-11-20",
  licence: OWN_LICENCE,
  detectors: [ASSIGNED],
};
