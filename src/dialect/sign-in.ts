/**
 * Requests to the endpoints that sign a program in (OAuth 2.0: RFC 6749 token endpoint, RFC 7009 revocation, RFC 8628 device
 * authorisation, RFC 8693 exchange; OpenAI's device sign-in of November 2026). Their fields for codes and tokens are what
 * header fields for credentials are: what stands in them may be there by right, and is told as `credential`.
 *
 * By the path alone, and only where the body is nothing but a flat list of fields: the same fields anywhere else are text
 * like any other.
 */
import { isUtf8 } from "node:buffer";
import { outlineOf } from "./outline.ts";
import type { Target } from "./recognise.ts";
import { escaped, parsed } from "./token.ts";
import { type Cut, oddNames } from "./unit.ts";

const ENDPOINT =
  /\/oauth2?\/(?:v\d(?:\.\d)?\/)?(?:token|access_token|revoke|device\/code|device_authorization)$|\/deviceauth\/(?:usercode|token)$|^\/login\/(?:device\/code|oauth\/access_token)$/;
/** A host whose every path is such an endpoint. */
const HOST = /^oauth2\.googleapis\.com$/;

const CREDENTIALS: ReadonlySet<string> = new Set(
  `access_token actor_token assertion authorization_code client_assertion client_secret code code_challenge code_verifier
  device_auth_id device_code id_token nonce refresh_token state subject_token token user_code`.split(/\s+/),
);

const MOST_BYTES = 64 * 1024;
const MOST_FIELDS = 40;

/** Null when it is no such request. */
export function signInCuts(target: Target, contentType: string, body: Buffer): readonly Cut[] | null {
  if (body.length === 0 || body.length > MOST_BYTES || !isUtf8(body)) return null;
  if (!ENDPOINT.test(target.path) && !HOST.test(target.host)) return null;
  const fields = /^application\/x-www-form-urlencoded/i.test(contentType)
    ? formFields(body)
    : jsonFields(body);
  if (fields === null || fields.length > MOST_FIELDS) return null;
  const names = oddNames(fields.map(([name]) => name));
  return [
    ...fields.map(
      ([name, value]): Cut => ({
        pointer: `/${escaped(name)}`,
        value,
        role: CREDENTIALS.has(name) ? "credential" : "user",
      }),
    ),
    ...(names === "" ? [] : [{ pointer: "", value: names, role: "metadata" as const }]),
  ];
}

type Fields = readonly (readonly [name: string, value: string])[];

function formFields(body: Buffer): Fields | null {
  const text = body.toString("utf8");
  return /^[\x21-\x7e]*$/.test(text) ? [...new URLSearchParams(text)] : null;
}

/** An object of texts and numbers, no name twice. */
function jsonFields(body: Buffer): Fields | null {
  if (outlineOf(body) === null) return null;
  const value = parsed(body, 0, body.length);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const fields = Object.entries(value);
  return fields.every(([, field]) => typeof field === "string" || typeof field === "number")
    ? fields.map(([name, field]) => [name, String(field)])
    : null;
}
