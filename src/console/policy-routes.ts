/** The routes of the page Policy. A draft is a question: nothing here writes. */
import { z } from "zod";
import { Fault } from "../core/index.ts";
import { type PolicyDocument, parseDocument } from "../policy/index.ts";
import {
  documentDetail,
  MOST_REPLAYED,
  type ParseDocument,
  policyOverview,
  proofsOf,
  tryDraft,
} from "./policy.ts";
import type { Rooms } from "./rooms.ts";
import { type Route, valueRoute } from "./route.ts";

const MOST_SESSIONS = 50_000;
const MOST_TEXT = 512 * 1024;
const Language = z.enum(["en", "zh-CN"]);
const Name = z.string().max(200);
const Time = z.int().min(0).optional();

export const policyRoutes = (rooms: Rooms): readonly Route[] => {
  const { index, policyDesk, clock } = rooms;
  const parse = parsingOnce();
  const facts = async () => ({
    parse,
    files: await policyDesk.files(),
    properties: await policyDesk.properties(),
    started: index.query("kind=session.started", MOST_SESSIONS).map(({ event }) => event),
    today: new Date(clock.now()).toISOString().slice(0, 10),
  });
  return [
    valueRoute({
      method: "GET",
      path: "/api/policy",
      rights: ["look"],
      query: z.strictObject({ language: Language }),
      handle: async ({ query }) => ({
        data: policyOverview(await facts(), query.language),
        filter: "kind=policy.changed,policy.rejected",
      }),
    }),
    valueRoute({
      method: "GET",
      path: "/api/policy/document",
      rights: ["look"],
      query: z.strictObject({
        name: Name,
        origin: z.enum(["guardrails", "own", "ready"]),
        language: Language,
      }),
      handle: async ({ query: { name, origin, language }, user }) => {
        const data = documentDetail(name, origin, await facts(), language, user.rights.has("write-policy"));
        if (data === null) throw new Fault("console.unknown", { detail: `no document \`${name}\`` });
        return { data };
      },
    }),
    valueRoute({
      method: "GET",
      path: "/api/policy/proofs",
      rights: ["look"],
      query: z.strictObject({ profile: Name, language: Language }),
      handle: async ({ query: { profile, language } }) => ({
        data: proofsOf(profile, await facts(), language, () => clock.monotonic()),
      }),
    }),
    valueRoute({
      method: "POST",
      path: "/api/policy/draft",
      rights: ["write-policy"],
      body: z.strictObject({
        text: z.string().min(1).max(MOST_TEXT),
        profile: Name.nullable(),
        language: Language,
        from: Time,
        to: Time,
      }),
      handle: async ({ body: { from, to, ...draft } }) => {
        const range = `${from === undefined ? "" : ` at>=${from}`}${to === undefined ? "" : ` at<${to}`}`;
        const traffic = {
          judged: index.query(`kind=exchange.judged${range}`, MOST_REPLAYED + 1),
          judgementOf: await policyDesk.judge(),
        };
        return { data: tryDraft(draft, await facts(), traffic, policyDesk.whereabouts) };
      },
    }),
  ];
};

/** A document is read once: the same text of the same file is what was read before. What is wrong is read again. */
function parsingOnce(): ParseDocument {
  const kept = new Map<string, { readonly text: string; readonly document: PolicyDocument }>();
  return (text, file) => {
    const known = kept.get(file);
    if (known?.text === text) return known.document;
    const document = parseDocument(text, file);
    kept.set(file, { text, document });
    return document;
  };
}
