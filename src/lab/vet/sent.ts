/** The texts of requests, as the gateway would read them: what a template of the build's own words is made of. */
import { createDecoder, type Decoded } from "../../dialect/index.ts";
import type { SeenRequest } from "../observe/http.ts";

export interface SentPart {
  readonly role: string;
  readonly text: string;
}

/** Parts of the requests in a dialect that is known; of others nothing is anybody's own words. */
export function sentParts(requests: readonly SeenRequest[]): readonly SentPart[] {
  const decoder = createDecoder();
  return requests.flatMap(({ method, host, target, headerLines, body }) => {
    if (method === "MESSAGE") return partsOf(decoder.decodeMessage(body));
    if (method !== "POST") return [];
    const headers = headerLines.map((line): [string, string] => {
      const at = line.indexOf(":");
      return [line.slice(0, at), line.slice(at + 1).trim()];
    });
    // The body was decoded as it was read.
    const plain = headers.filter(([name]) => !/^(?:content-encoding|transfer-encoding)$/i.test(name));
    return partsOf(decoder.decode({ method, host, path: target, headers: plain, body }));
  });
}

const partsOf = ({ understood, parts }: Decoded): readonly SentPart[] =>
  understood ? parts.map(({ role, text }) => ({ role, text })) : [];
