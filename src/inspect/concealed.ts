/**
 * What a request's target is shaped to carry rather than to name: bytes in the labels of a host name (as iodine, dnscat2
 * and DNS beacons pack them), a random or many times escaped piece of a URL. Such a target leaks by being looked up or
 * logged, whatever answers. Measured on shape alone, so of class `concealed`: policy says where it matters.
 *
 * Hosts that name their tenants and documents by random ids are known by name, and only what is text in disguise counts
 * there. Pure; cost linear in the target.
 */
import { entropy, isCheckedAddress } from "./checksum.ts";

export interface Concealment {
  readonly class: "concealed" | "personal";
  readonly detector: string;
  readonly start: number;
  readonly end: number;
}

/** `target`: host, one blank, path and query as they are on the wire. Offsets are into it. */
export function concealedIn(target: string): readonly Concealment[] {
  const blank = target.indexOf(" ");
  const host = target.slice(0, blank);
  const found: Concealment[] = [];
  const tell = (detector: string, start: number, end: number): void => {
    found.push({ class: "concealed", detector, start, end });
  };
  const isKnown = NAMES_BY_ID.test(host);
  const inHost = /^[\d.]+$|:/.test(host) ? null : inLabels(host, isKnown);
  if (inHost !== null) tell(inHost, 0, host.length);
  const path = target.slice(blank + 1);
  if (!isKnown && isEscapedThrice(path)) tell("url-escaped-thrice", blank + 1, target.length);
  for (const { name, value, at } of piecesOf(path)) {
    const [start, end] = [blank + 1 + at, blank + 1 + at + value.length];
    if (isCheckedAddress(value)) found.push({ class: "personal", detector: "crypto-address", start, end });
    else if (!isKnown && !RANDOM_BY_PROTOCOL.test(name) && isRandomPiece(plainOf(value)))
      tell("url-random", start, end);
  }
  return found;
}

/** Escapes of escapes of escapes serve nobody but who wants to be read behind the filter. */
function isEscapedThrice(path: string): boolean {
  let said = path.slice(0, MAX_TARGET);
  for (let layer = 0; layer < 3; layer++) {
    const before = said;
    said = plainOf(before);
    if (said === before) return false;
  }
  return true;
}

/**
 * Hosts whose own names or paths are random by design: clouds' and content networks' tenants, documents, objects,
 * commits. From the vendors' public documentation of their host names.
 */
const NAMES_BY_ID = new RegExp(
  `(?:^|\\.)(?:${[
    "amazonaws.com(?:.cn)? on.aws awsapps.com awsglobalaccelerator.com cloudfront.net api.aws amazon.com amazoncognito.com",
    "azure.com azure.net azurewebsites.net azureedge.net azurefd.net windows.net microsoft.com microsoftonline.com",
    "office.com sharepoint.com live.com visualstudio.com vsassets.io msecnd.net trafficmanager.net azurecontainerapps.io",
    "google.com googleapis.com googleusercontent.com gstatic.com gvt1.com run.app web.app appspot.com firebaseapp.com",
    "firebaseio.com cloudfunctions.net youtube.com ytimg.com youtu.be ggpht.com",
    "github.com githubusercontent.com github.io github.dev githubassets.com ghcr.io githubcopilot.com gitlab.com gitlab.io",
    "bitbucket.org atlassian.net atlassian.com jira.com",
    "cloudflare.com cloudflarestorage.com cloudflare-ipfs.com workers.dev pages.dev r2.dev",
    "vercel.app vercel.com netlify.app netlify.com herokuapp.com fly.dev onrender.com railway.app deno.dev deno.net",
    "fastly.net fastly.com akamai.net akamaihd.net akamaized.net edgekey.net edgesuite.net jsdelivr.net unpkg.com",
    "npmjs.org npmjs.com pypi.org pythonhosted.org crates.io rubygems.org maven.org docker.io docker.com debian.org",
    "golang.org pkg.go.dev nodejs.org quay.io huggingface.co hf.co hf.space",
    "anthropic.com claude.ai claude.com claudeusercontent.com openai.com chatgpt.com oaistatic.com oaiusercontent.com",
    "cursor.sh cursor.com openrouter.ai opencode.ai mistral.ai deepseek.com aliyuncs.com qwen.ai",
    "sentry.io datadoghq.com datadoghq.eu statsig.com statsigapi.net segment.io segment.com launchdarkly.com posthog.com",
    "supabase.co supabase.com mongodb.net neon.tech upstash.io planetscale.com snowflakecomputing.com databricks.com",
    "auth0.com okta.com oktapreview.com onelogin.com stripe.com slack.com slack-edge.com discord.com discordapp.com",
    "notion.so notion.site figma.com linear.app dropbox.com dropboxusercontent.com box.com airtable.com zoom.us",
    "facebook.com fbcdn.net instagram.com twimg.com x.com twitter.com linkedin.com licdn.com reddit.com redd.it",
    "wikipedia.org wikimedia.org archive.org dweb.link ipfs.io storage.googleapis.com digitaloceanspaces.com",
    "backblazeb2.com wasabisys.com shopify.com myshopify.com zendesk.com salesforce.com force.com hubspot.com",
  ]
    .join(" ")
    .split(" ")
    .map((suffix) => suffix.replaceAll(".", "\\."))
    .join("|")})$`,
  "i",
);

/** Fields whose values sign-in, signed links and paging make random. */
const RANDOM_BY_PROTOCOL =
  /^(?:state|nonce|code|code_challenge|code_verifier|sig|signature|hmac|integrity|etag|(?:next_?|prev_?|page_?)?cursor|(?:next_?)?page_?token|continuation(?:_?token)?|login_challenge|saml(?:request|response)|relaystate|x-(?:amz|goog|ms)-[a-z-]+|policy|key-pair-id)$/i;

interface Piece {
  /** Of a query's field; empty for a segment of the path. */
  readonly name: string;
  readonly value: string;
  readonly at: number;
}

function piecesOf(path: string): readonly Piece[] {
  const pieces: Piece[] = [];
  for (const match of path.slice(0, MAX_TARGET).matchAll(/[^/?&;#]+/g)) {
    const [text] = match;
    const equals = text.indexOf("=");
    const isField = equals > 0 && equals < text.length - 1 && !/^=*$/.test(text.slice(equals));
    const name = isField ? text.slice(0, equals) : "";
    const value = isField ? text.slice(equals + 1) : text;
    if (value.length >= SHORTEST_PIECE)
      pieces.push({ name, value, at: match.index + text.length - value.length });
  }
  return pieces;
}

const MAX_TARGET = 16 * 1024;
const SHORTEST_PIECE = 24;

const plainOf = (value: string): string =>
  value.includes("%")
    ? value.replace(/%([0-9a-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
    : value;

/** Shorter ids (a nanoid's 21 characters) name things everywhere; up to a KSUID's 27, only what is no such id. */
const SHORTEST_RANDOM = 24;
const LONGEST_ID = 27;
const SHORTEST_ONE_CASE = 44;

/** A run of letters and digits in no order: not hexadecimal (digests), not words, not the beginning of a picture. */
function isRandomPiece(value: string): boolean {
  if (value.length < SHORTEST_RANDOM || !/^[A-Za-z0-9+_~.-]+={0,2}$/.test(value)) return false;
  // The longest run counts: words joined by dashes and dots are no random text, however many.
  const run = value.split(/[-_.~]/).reduce((best, part) => (part.length > best.length ? part : best), "");
  if (run.length < SHORTEST_RANDOM || isPicture(value)) return false;
  if (/^[0-9a-fA-F]+$/.test(run)) return isLongHex(run);
  const hasCases = /[a-z]/.test(run) && /[A-Z]/.test(run);
  if (!/\d/.test(run)) return false;
  if (!hasCases && run.length < SHORTEST_ONE_CASE) return false;
  // Of letters and digits by chance, six in ten differ in kind from the one before.
  const mixed = run.length <= LONGEST_ID ? 0.75 : hasCases ? 0.35 : 0.25;
  return entropy(run) > (hasCases ? 4 : 3.8) && changes(run) > run.length * mixed;
}

/** Digests have a few lengths, and two beside each other twice those; other long runs name nothing. */
const isLongHex = (run: string): boolean =>
  run.length >= 68 && ![96, 128, 256].includes(run.length) && entropy(run) > 3.2;

/** How often the kind of character changes: a word in capitals or a number has few, random text many. */
function changes(run: string): number {
  let count = 0;
  let last = -1;
  for (const char of run) {
    const kind = /\d/.test(char) ? 0 : /[A-Z]/.test(char) ? 1 : 2;
    if (last >= 0 && kind !== last) count++;
    last = kind;
  }
  return count;
}

/** PNG, JPEG, GIF, RIFF (WebP), PDF, in base64. */
const isPicture = (value: string): boolean => /^(?:iVBORw0KGgo|\/9j\/|_9j_|R0lGOD|UklGR|JVBERi0)/.test(value);

// --- host names -----------------------------------------------------------------------------------------------------

const LONGEST_CHAIN = 7;
const LONGEST_PREFIX = 90;
const MOST_ALIKE = 4;
const SHORTEST_ALIKE = 6;

/** Which shape the labels below the registered name have; null: a name like others. */
function inLabels(host: string, isKnown: boolean): string | null {
  const labels = host.split(".").slice(0, -2);
  const whole = labels.join("");
  if (KEY_IN_HOST.test(host)) return "hostname-key";
  const pieces = labels.flatMap((label) => label.split("-"));
  if (pieces.some(isTextInHex) || isTextInHex(labels.filter((label) => HEX_LABEL.test(label)).join("")))
    return "hostname-hex";
  if (labels.some(isTextInBase32) || isTextInBase32(whole)) return "hostname-base32";
  if (isKnown) return null;
  if (pieces.some(isRandomLabel)) return "hostname-random";
  if (isChunked(labels) || labels.filter((label) => /^\d{1,4}-.{6,}/.test(label)).length > 1)
    return "hostname-chunks";
  return labels.length > LONGEST_CHAIN || whole.length > LONGEST_PREFIX ? "hostname-long" : null;
}

/** Keys survive the loss of their capitals: nobody else has names like these. */
const KEY_IN_HOST =
  /(?:^|[.-])(?:(?:akia|asia)[a-z0-9]{16}(?![a-z0-9])|gh[pousr][_-][a-z0-9]{16}|sk[_-](?:ant|proj|live|test)[_-]|xox[bpars]-\d|glpat-|npm_[a-z0-9]{20}|aiza[a-z0-9_-]{30}|eyj[a-z0-9_-]{16})/i;
const HEX_LABEL = /^[0-9a-f]{6,}$/i;

/** Twelve digits or more that spell printable text with letters in it. */
function isTextInHex(label: string): boolean {
  if (!/^(?:[0-9a-f]{2}){6,}$/i.test(label) || (!/[a-f]/i.test(label) && label.length < 20)) return false;
  return isText(Buffer.from(label, "hex"), 1);
}

function isTextInBase32(label: string): boolean {
  if (label.length < 16 || !/^[a-z2-7]+$/i.test(label) || !/[2-7]/.test(label)) return false;
  return isText(base32(label), 1);
}

/** RFC 4648, without padding; what is left of a last group is dropped. */
export function base32(text: string): Buffer {
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const char of text.toUpperCase()) {
    held = (held << 5) | "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(char);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >>> bits) & 255);
    held &= (1 << bits) - 1;
  }
  return Buffer.from(bytes);
}

/** Printable but for `besides` bytes in ten, with two letters in a row. */
function isText(bytes: Buffer, besides: number): boolean {
  const odd = bytes.reduce((count, byte) => count + (byte >= 0x20 && byte < 0x7f ? 0 : 1), 0);
  return odd * 10 <= bytes.length * besides && /[A-Za-z]{2}/.test(bytes.toString("latin1"));
}

/** Letters and digits mixed without syllables; or hexadecimal as long as no counter is. */
function isRandomLabel(label: string): boolean {
  const lower = label.toLowerCase();
  if (/^[0-9a-f]+$/.test(lower)) return lower.length >= 24 && /\d/.test(lower) && /[a-f]/.test(lower);
  if (lower.length < 16 || !/[0-9]/.test(lower) || !/[a-z]/.test(lower)) return false;
  const letters = lower.replace(/[0-9]/g, "");
  const consonants = letters.replace(/[aeiou]/g, "").length;
  return lower.length >= 32 || consonants > letters.length * 0.78 || changes(lower) >= 6;
}

/** Labels of one length in a row: data is cut so, names are not. */
function isChunked(labels: readonly string[]): boolean {
  let alike = 1;
  for (let i = 1; i < labels.length; i++) {
    const label = labels[i] ?? "";
    alike = label.length >= SHORTEST_ALIKE && label.length === labels[i - 1]?.length ? alike + 1 : 1;
    if (alike >= MOST_ALIKE) return true;
  }
  return false;
}
