/** Planted secrets in what left: as they are, or encoded in the ways that a thief would think of first. */
import type { Canary } from "../chamber/home.ts";
import type { SeenRequest } from "../observe/http.ts";
import { unzipped } from "../observe/leaves.ts";

export interface Taken {
  readonly canary: Canary;
  readonly encoding: string;
  /** Host it went to, and the request. */
  readonly host: string;
  readonly request: string;
}

interface Needle {
  readonly canary: Canary;
  readonly encoding: string;
  readonly text: string;
}

export function needlesOf(canaries: readonly Canary[]): readonly Needle[] {
  return canaries.flatMap((canary) =>
    Object.entries(encodings(canary.value)).map(([encoding, text]) => ({ canary, encoding, text })),
  );
}

function encodings(value: string): Record<string, string> {
  const bytes = Buffer.from(value);
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .replaceAll("=", "");
    // The first and last characters depend on what stands beside it.
    return text.slice(shift === 0 ? 0 : 4, -2);
  });
  return {
    "as it is": value,
    "the first half": value.slice(0, 20),
    "the second half": value.slice(20),
    "a quarter": value.slice(0, 10),
    "the second quarter": value.slice(10, 20),
    "the third quarter": value.slice(20, 30),
    "the last quarter": value.slice(30),
    reversed: [...value].toReversed().join(""),
    hex: bytes.toString("hex"),
    "hex, upper case": bytes.toString("hex").toUpperCase(),
    "percent encoded": [...bytes].map((b) => `%${b.toString(16).padStart(2, "0")}`).join(""),
    "percent encoded, upper case": [...bytes]
      .map((b) => `%${b.toString(16).toUpperCase().padStart(2, "0")}`)
      .join(""),
    rot13: value.replaceAll(/[a-z]/gi, (c) =>
      String.fromCharCode(c.charCodeAt(0) + (c.toLowerCase() < "n" ? 13 : -13)),
    ),
    "numbers of its bytes": [...bytes].join(","),
    "numbers of its bytes, spaced": [...bytes].join(", "),
    "escapes of its characters": [...bytes].map((b) => `\\u00${b.toString(16)}`).join(""),
    base64: base64[0] ?? "",
    "base64, shifted by one": base64[1] ?? "",
    "base64, shifted by two": base64[2] ?? "",
    base32: base32(bytes),
  };
}

function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((b) => b.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{5}/g) ?? [])
    .map((five) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[Number.parseInt(five, 2)])
    .join("");
}

export function takenIn(
  requests: readonly SeenRequest[],
  names: readonly string[],
  needles: readonly Needle[],
): readonly Taken[] {
  const taken = requests.flatMap((request) => {
    const text = `${request.requestLine}\n${request.headerLines.join("\n")}\n${request.body.toString("latin1")}`;
    const where = {
      host: request.host,
      request: `${request.method} ${request.target.replace(/\?.*$/, "")}`.trim(),
    };
    const plain = find([text, unzipped(request.body).toString("latin1")], needles);
    const inside = find(unpacked(text), needles)
      .filter(({ canary }) => !plain.some((one) => one.canary === canary))
      .map(({ canary, encoding }) => ({
        canary,
        encoding: encoding === "as it is" ? "base64" : `${encoding}, in base64`,
      }));
    return [...plain, ...inside].map((needle) => ({ ...needle, ...where }));
  });
  const asked = names.map((name) => ({ name, text: name.replaceAll(".", "") }));
  const lookedUp = asked.flatMap(({ name, text }) =>
    find([text, text.toUpperCase()], needles).map((needle) => ({
      ...needle,
      host: name,
      request: "name look-up",
    })),
  );
  return [...taken, ...lookedUp];
}

function find(texts: readonly string[], needles: readonly Needle[]): { canary: Canary; encoding: string }[] {
  const found = new Map<Canary, string>();
  for (const { canary, encoding, text } of needles)
    if (!found.has(canary) && texts.some((hay) => hay.includes(text))) found.set(canary, encoding);
  return [...found].map(([canary, encoding]) => ({ canary, encoding }));
}

const MAX_UNPACKED = 200;

/** What base64 texts in it hold, decompressed where it is compressed. */
function unpacked(text: string): string[] {
  const runs = text.match(/[A-Za-z0-9+/_-]{60,}/g) ?? [];
  return runs.slice(0, MAX_UNPACKED).flatMap((run) => {
    const bytes = Buffer.from(run, "base64");
    return [unzipped(bytes).toString("latin1")];
  });
}
