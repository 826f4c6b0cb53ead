/**
 * Why an effect is no secret: a difference that is only the factor's own value, said as it is, or something that anybody
 * can compute from it. What is explained is still reported, apart from the findings. Pure.
 *
 * A value that is merely written in another way (other separators, other apostrophe) is never explained here.
 */
import { createHash } from "node:crypto";
import { committedFiles } from "../chamber/home.ts";
import { homeInside, workspaceInside } from "../chamber/plan.ts";
import type { Patch, Setting } from "../chamber/setting.ts";
import type { Effect } from "./compare.ts";

export interface Sides {
  readonly a: Setting;
  readonly b: Setting;
  readonly patches: readonly Patch[];
}

/** A sentence, or null where nothing explains it. */
export function explanationOf(effect: Effect, sides: Sides): string | null {
  if (effect.isUnsteady === true)
    return "what stands there varies by itself: not counted, look again with more --repeats";
  if (effect.kind === "order") return libraryOrder(effect, sides);
  return (
    ownEffect(effect, sides) ??
    literal(effect, sides) ??
    computed(effect, sides) ??
    placeholders(effect, sides)
  );
}

const isProxied = ({ patches }: Sides): boolean =>
  patches.some((patch) => patch.kind === "variable" && /proxy/i.test(patch.name));

/** Headers that an HTTP library writes by itself. */
const LIBRARY_HEADER =
  /^(?:host|connection|proxy-connection|content-length|transfer-encoding|accept-encoding)$/i;

/** Libraries write the head of a request through a proxy in another place of theirs (seen: `host` comes first). */
function libraryOrder({ a, b, places }: Effect, sides: Sides): string | null {
  const isHead = places.every((place) => place.part === "headers, order");
  return isHead && isProxied(sides) && [a, b].some((name) => LIBRARY_HEADER.test(name ?? ""))
    ? "through a proxy its HTTP library writes a header of its own at another place"
    : null;
}

/** What a proxy, a clock or a plain address does by itself. */
function ownEffect({ a, b, kind, places }: Effect, sides: Sides): string | null {
  const { patches, b: after } = sides;
  const isHandshake = places.every((place) => place.part.startsWith("TLS ClientHello"));
  if (isHandshake && kind === "removed" && after.base?.startsWith("http:") === true)
    return "the base URL is plain HTTP";
  const isLanguage = patches.some((patch) => patch.kind === "variable" && /^LC_/.test(patch.name));
  if (isLanguage && SHELL_WARNING.test(b ?? "") && a === null)
    return "a shell says that it lacks this language";
  const text = `${a ?? ""}${b ?? ""}`;
  if (isProxied(sides) && kind === "request" && /^(?:CONNECT|LOOK-UP) /.test(text))
    return "it uses the proxy it is given";
  const isClock = patches.some((patch) => patch.kind === "clock");
  return isClock && isDate(a) && isDate(b) ? "it tells the date, or counts from it" : null;
}

/** bash and perl, of a locale that the machine has not compiled; agents quote it as the output of a command. */
const SHELL_WARNING =
  /\bwarning: setlocale: LC_\w+: cannot change locale|^\s*(?:perl: warning|LC_\w+ = |LANG = )/;

const DATE_WORD =
  /^(?:\d+|\d{4}-\d\d|‹[^›]*›|(?:mon|tues|wednes|thurs|fri|satur|sun)day|jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:tember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)$/i;
const isDate = (text: string | null): boolean =>
  text === null || text.split(" … ").every((piece) => DATE_WORD.test(piece));

/** The same line once the values of both sides have the same name. */
function literal({ lineA, lineB }: Effect, sides: Sides): string | null {
  if (lineA === null || lineB === null) return null;
  const values = valuesOf(sides);
  const named = (line: string): string =>
    values
      .reduce((text, value) => text.replaceAll(value, "‹value›"), line)
      .replaceAll(
        /‹(?:base-url|base-host|git-[a-z-]+|user|home|machine|dns-suffix|locale|zone)›/g,
        "‹value›",
      );
  if (named(lineA) === named(lineB)) return "it is the setting's own value, word for word";
  const isLanguage = sides.patches.some(
    (patch) => patch.kind === "variable" && /^(?:LANG|LC_)/.test(patch.name),
  );
  const undated = (line: string): string => named(line).replaceAll(/‹date \S+ /g, "‹date ");
  return isLanguage && undated(lineA) === undated(lineB) ? "it is the date, as the language writes it" : null;
}

/** Longest first. */
function valuesOf({ a, b, patches }: Sides): readonly string[] {
  const all = [a, b].flatMap((setting) => {
    const base = setting.base === null ? null : new URL(setting.base);
    const host = setting.gitRemote.replace(/^[a-z+]+:\/\//, "").replace(/\/.*$/, "");
    const variables = patches.flatMap((patch) =>
      patch.kind === "variable" ? [setting.variables[patch.name]] : [],
    );
    return [
      setting.base,
      base?.host,
      base?.hostname,
      setting.gitRemote,
      host,
      setting.gitEmail,
      setting.user,
      setting.machine,
      ...variables,
    ];
  });
  const zones = [a, b].flatMap((setting) => [setting.localtime, setting.variables["TZ"]]);
  return [
    ...new Set([...all, ...zones].filter((v): v is string => typeof v === "string" && v.length >= 3)),
  ].toSorted((p, q) => q.length - p.length);
}

/** A file that the agent is shown. */
const isContentPatch = (patch: Patch): boolean => patch.kind === "file" && patch.place === "workspace";

const MAX_LENGTHS = 12;

/** Digests, encodings, lengths and offsets of the values that the two sides differ in. */
function computed({ a, b, lineA, lineB }: Effect, { a: before, b: after, patches }: Sides): string | null {
  const isContent = patches.length === 0 || patches.some(isContentPatch);
  if (isContent && areCounts(lineA ?? lineB, lineB ?? lineA))
    return "it counts or digests the content that was changed";
  if (isContent && areDigests(lineA, lineB)) return "it is a digest of the content that was changed";
  if (a === null || b === null) return null;
  for (const patch of patches) {
    const [x, y] = [valueIn(before, patch), valueIn(after, patch)];
    if (x === null || y === null) continue;
    const name = derivationOf(lineA ?? a, lineB ?? b, formsOf(x, before, patch), formsOf(y, after, patch));
    if (name !== null) return `it is the ${name} of the setting's value`;
    const delta = Number(b) - Number(a);
    const longer = y.length - x.length;
    if (
      /^\d+$/.test(a) &&
      /^\d+$/.test(b) &&
      longer !== 0 &&
      delta % longer === 0 &&
      delta / longer >= 1 &&
      delta / longer <= MAX_LENGTHS
    )
      return "it counts characters of the setting's value";
    if (patch.kind === "localtime" || (patch.kind === "variable" && patch.name === "TZ")) {
      const [p, q] = [offsetMinutes(x), offsetMinutes(y)];
      for (const factor of [1, -1, 60, -60, 1 / 60, -1 / 60])
        if (Number(a) === p * factor && Number(b) === q * factor) return "it is the zone's offset from UTC";
    }
  }
  return null;
}

const DERIVATIONS: Readonly<Record<string, (value: string) => string>> = {
  "SHA-256": (value) => createHash("sha256").update(value).digest("hex"),
  "SHA-1": (value) => createHash("sha1").update(value).digest("hex"),
  MD5: (value) => createHash("md5").update(value).digest("hex"),
  base64: (value) => Buffer.from(value).toString("base64").replaceAll("=", ""),
  hex: (value) => Buffer.from(value).toString("hex"),
  "URL encoding": (value) => encodeURIComponent(value),
};

/** Spellings of a value that a program may have digested. */
function formsOf(value: string, setting: Setting, patch: Patch): readonly string[] {
  if (patch.kind === "base") return [setting.base ?? "", value].flatMap((text) => [text, `${text}/`]);
  if (patch.kind === "user") {
    const workspace = workspaceInside(setting);
    const files = Object.keys(committedFiles()).map((path) => `${workspace}/${path}`);
    return [value, homeInside(setting), workspace, ...files];
  }
  if (patch.kind !== "git-remote") return [value];
  const bare = value.replace(/^[a-z+]+:\/\//, "");
  return [value, bare].flatMap((text) => [text, text.replace(/\.git$/, "")]);
}

/** The way in which the one word that differs between the lines was made from the values, or null. */
function derivationOf(
  lineA: string,
  lineB: string,
  x: readonly string[],
  y: readonly string[],
): string | null {
  const [wordsA, wordsB] = [lineA, lineB].map((line) => line.match(/[\w+/%=.-]{6,}/g) ?? []);
  if (wordsA === undefined || wordsB === undefined || wordsA.length !== wordsB.length) return null;
  const pairs = wordsA.map((word, at) => [word, wordsB[at] ?? ""] as const).filter(([p, q]) => p !== q);
  if (pairs.length === 0) return null;
  for (const [name, make] of Object.entries(DERIVATIONS))
    for (const [at, form] of x.entries()) {
      const [dx, dy] = [make(form), make(y[at] ?? "")];
      if (pairs.every(([p, q]) => dx.startsWith(p) && dy.startsWith(q))) return name;
    }
  return null;
}

/** Numbers of one digit may be flags, which are no counts. */
function areCounts(a: string | null, b: string | null): boolean {
  const isCount = (line: string | null): boolean =>
    line !== null && /^(?:\d+(?:\.\d+)?|[0-9a-f]{8,})$/.test(line);
  return isCount(a) && isCount(b) && Math.max(a?.length ?? 0, b?.length ?? 0) > 1;
}

/** The lines differ in nothing but words of hexadecimal digits, each as long as the other. */
function areDigests(lineA: string | null, lineB: string | null): boolean {
  if (lineA === null || lineB === null) return false;
  const [x, y] = [lineA, lineB].map((line) => line.split(/([0-9A-Za-z]+)/));
  if (x === undefined || y === undefined || x.length !== y.length) return false;
  const pairs = x.map((word, at) => [word, y[at] ?? ""] as const).filter(([p, q]) => p !== q);
  const isHex = (word: string): boolean => /^[0-9a-f]{3,}$/.test(word);
  return (
    pairs.length > 0 &&
    pairs.every(([p, q]) => isHex(p) && isHex(q) && p.length === q.length && /\d/.test(p + q))
  );
}

function valueIn(setting: Setting, patch: Patch): string | null {
  switch (patch.kind) {
    case "base":
      return setting.base === null ? null : new URL(setting.base).host;
    case "localtime":
      return setting.localtime;
    case "variable":
      return patch.name === "TZ"
        ? (setting.variables["TZ"] ?? setting.localtime)
        : (setting.variables[patch.name] ?? "");
    case "user":
      return setting.user;
    case "machine":
      return setting.machine;
    case "git-remote":
      return setting.gitRemote;
    case "git-email":
      return setting.gitEmail;
    case "dns-suffix":
    case "clock":
    case "file":
      return null;
    default:
      return patch satisfies never;
  }
}

function offsetMinutes(zone: string): number {
  try {
    const parts = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      timeZoneName: "longOffset",
    }).formatToParts(Date.now());
    const match = /([+-])(\d\d):(\d\d)/.exec(parts.find((part) => part.type === "timeZoneName")?.value ?? "");
    return match === null ? 0 : (match[1] === "-" ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3]));
  } catch {
    return Number.NaN; // no zone that Intl knows
  }
}

/** Of a file, a prompt or a repository: lines that hold nothing but names and contents of what was changed. */
function placeholders({ a, b, kind }: Effect, { patches }: Sides): string | null {
  const isContent =
    patches.length === 0 || patches.some((patch) => patch.kind === "file" || patch.kind.startsWith("git-"));
  if (!isContent || (kind !== "added" && kind !== "removed" && kind !== "content")) return null;
  const isBare = (text: string | null): boolean =>
    text === null ||
    (text.includes("‹") && (text.replaceAll(/‹[^›]*›/g, "").match(/[\p{L}\p{N}]/gu) ?? []).length <= 2);
  return isBare(a) && isBare(b) ? "it names or quotes the file or prompt that was changed" : null;
}
