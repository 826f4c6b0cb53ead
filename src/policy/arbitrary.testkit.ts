/** Random documents and points for properties: few values for each label, so that rules meet, miss and collide. */
import fc from "fast-check";
import type { PolicyData, PolicyDocument, SendRule } from "./document.ts";
import type { Point } from "./label.ts";

const VALUES = {
  agent: ["claude", "codex", "unknown"],
  build: ["approved", "unapproved", "unknown"],
  host: ["api.a.example", "b.a.example", "other.example"],
  port: [443, 80],
  channel: ["llm", "telemetry", "unknown"],
  serverIn: ["EU", "CN", "unknown"],
  operatorLaw: ["SELF", "US", "unknown"],
  trains: ["no", "yes", "unknown"],
  dpa: ["signed", "none", "unknown"],
  repo: ["open", "restricted", "unknown"],
  data: ["public", "secret", "personal"],
  model: ["m1", "unknown"],
} as const;
const HOST_PATTERNS = ["api.a.example", "*.a.example", "other.example", "*"] as const;

export const pointArbitrary: fc.Arbitrary<Point> = fc.record({
  agent: fc.constantFrom(...VALUES.agent),
  build: fc.constantFrom(...VALUES.build),
  host: fc.constantFrom(...VALUES.host),
  port: fc.constantFrom(...VALUES.port),
  channel: fc.constantFrom(...VALUES.channel),
  serverIn: fc.constantFrom(...VALUES.serverIn),
  operatorLaw: fc.constantFrom(...VALUES.operatorLaw),
  trains: fc.constantFrom(...VALUES.trains),
  dpa: fc.constantFrom(...VALUES.dpa),
  repo: fc.constantFrom(...VALUES.repo),
  data: fc.constantFrom(...VALUES.data),
  model: fc.constantFrom(...VALUES.model),
});

const some = <T>(values: readonly T[]): fc.Arbitrary<T[]> =>
  fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 });

const labelsArbitrary: fc.Arbitrary<SendRule["when"]> = fc.record(
  {
    agent: some(VALUES.agent),
    build: some(VALUES.build),
    host: some(HOST_PATTERNS),
    port: some(VALUES.port),
    channel: some(VALUES.channel),
    serverIn: some(VALUES.serverIn),
    operatorLaw: some(VALUES.operatorLaw),
    trains: some(VALUES.trains),
    dpa: some(VALUES.dpa),
    repo: some(VALUES.repo),
    data: some(VALUES.data),
    model: some(VALUES.model),
  },
  { requiredKeys: [] },
);

/** Conditions of one to three labels, so that they match often. */
const whenArbitrary = labelsArbitrary.map((labels) =>
  Object.fromEntries(Object.entries(labels).slice(0, 3)),
) as fc.Arbitrary<SendRule["when"]>;

export const ruleArbitrary: fc.Arbitrary<SendRule> = fc
  .record(
    {
      when: whenArbitrary,
      unless: whenArbitrary,
      // biome-ignore lint/suspicious/noThenProperty: the document's own word
      then: fc.constantFrom("allow", "normalise", "redact", "reroute", "ask", "deny"),
      waivable: fc.boolean(),
    },
    { requiredKeys: ["when", "then"] },
  )
  .chain((rule) =>
    some(["here", "there", "elsewhere"]).map(
      (rerouteTo): SendRule => ({
        id: "R",
        title: "t",
        because: "b",
        ...rule,
        ...(rule.then === "reroute" ? { rerouteTo } : {}),
        ...(rule.then === "normalise" ? { when: { ...rule.when, data: ["altered_template"] } } : {}),
      }),
    ),
  );

const hostRule = fc.record({ hosts: some(HOST_PATTERNS), ports: some(VALUES.port) });

/** Random documents; `name` keeps them apart, as layering asks. */
export const documentArbitrary = (
  name: string,
  kinds: readonly PolicyData["kind"][] = ["Profile", "Guardrails", "Repository"],
): fc.Arbitrary<PolicyDocument> =>
  fc
    .record({
      kind: fc.constantFrom(...kinds),
      sendDefault: fc.constantFrom("allow", "deny"),
      rules: fc.array(ruleArbitrary, { maxLength: 6 }),
      networkDefault: fc.constantFrom("allow", "deny"),
      allow: fc.array(fc.tuple(hostRule, fc.boolean()), { maxLength: 3 }),
      deny: fc.array(hostRule, { maxLength: 2 }),
      read: fc.option(fc.subarray(["/opt", "/opt/a", "/opt/a/b", "~/x", "~"]), { nil: undefined }),
      hide: fc.subarray([".env", "a/b", "*.pem"]),
      pass: fc.option(fc.subarray(["LANG", "LC_*", "LC_ALL", "L*"]), { nil: undefined }),
      mode: fc.constantFrom("bubblewrap", "none", undefined),
      nested: fc.constantFrom(true, false, undefined),
    })
    .map((parts): PolicyDocument => {
      const isProfile = parts.kind === "Profile";
      const about = (id: string) => ({ id, title: "t", because: "b" });
      const data = {
        apiVersion: "sallyport/v1",
        kind: parts.kind,
        metadata: { name, owner: "o", version: 1 },
        sandbox: isProfile ? { mode: parts.mode, nested: parts.nested } : {},
        files: { read: parts.read, hide: parts.hide },
        environment: { pass: parts.pass },
        network: {
          default: parts.networkDefault,
          allow: parts.allow.map(([rule, isPrivate], i) => ({
            ...about(`NA-${i}`),
            ...rule,
            private: isProfile && isPrivate,
          })),
          deny: parts.deny.map((rule, i) => ({ ...about(`ND-${i}`), ...rule })),
        },
        send: {
          default: parts.sendDefault,
          rules: parts.rules.map((rule, i) => ({ ...rule, id: `R-${i}` })),
        },
      };
      // The parts are typed by the schema's own words; only optional fields that are undefined stand between.
      return { file: `${name}.yaml`, data: data as unknown as PolicyData };
    });

export const connectionArbitrary: fc.Arbitrary<readonly [host: string, port: number]> = fc.tuple(
  fc.constantFrom(...VALUES.host, "a.example", "10.0.0.1"),
  fc.constantFrom(443, 80, 22),
);
