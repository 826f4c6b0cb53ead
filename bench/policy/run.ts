/**
 * What a decision costs: ours beside a bare loop over bit masks (the floor: the least that gives allow or deny, without saying which rules decide), and
 * beside other engines where they are installed, all in one run over the same rules and points. CPU time, as the
 * machine may be shared; the rounds of all engines are interleaved and the median is shown.
 *
 *   node bench/policy/run.ts            PEERS=/folder/node_modules for @cedar-policy/cedar-wasm and @marcbachmann/cel-js
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  decide,
  layer,
  type Point,
  type Policy,
  parseDocument,
  readyProfile,
  study,
} from "../../src/policy/index.ts";

const SIZES = [20, 200, 1_000, 10_000];
const ROUNDS = 7;
const POINTS = 4_096;

/** A fixed sequence of numbers in [0, 1): the same rules and points in every run. */
function sequence(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const VALUES: Readonly<Record<string, readonly string[]>> = {
  agent: ["claude", "codex", "qwen", "gemini", "opencode", "copilot"],
  build: ["approved", "unapproved", "unknown"],
  channel: ["llm", "telemetry", "mcp", "other", "unknown"],
  serverIn: ["EU", "US", "CN", "SG", "ONPREM", "OTHER", "unknown"],
  operatorLaw: ["EU", "US", "CN", "SELF", "unknown"],
  trains: ["no", "yes", "opt_in", "unknown"],
  dpa: ["signed", "none", "unknown"],
  repo: ["open", "internal", "restricted", "unknown"],
  data: ["public", "internal_code", "confidential", "secret", "personal", "export_ctl"],
};
const LABELS = Object.keys(VALUES);

type When = Record<string, string[]>;

function randomRules(count: number, random: () => number): When[] {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  return Array.from({ length: count }, () => {
    const when: When = {};
    for (let i = 0; i < 4 + random() * 2; i++) {
      const label = pick(LABELS);
      const values = VALUES[label] ?? [];
      when[label] = [...new Set([pick(values), pick(values)])];
    }
    return when;
  });
}

function randomPoints(random: () => number): Point[] {
  return Array.from({ length: POINTS }, () => {
    const labels = Object.entries(VALUES).map(([label, values]) => [
      label,
      values[Math.floor(random() * values.length)],
    ]);
    return { host: "api.a.example", port: 443, model: "m", ...Object.fromEntries(labels) } as Point;
  });
}

function policyOf(rules: readonly When[]): { text: string; policy: Policy } {
  const body = rules.map(
    (when, i) => `    - { id: R-${i}, title: t, because: b, when: ${JSON.stringify(when)}, then: deny }`,
  );
  const text = `apiVersion: sallyport/v1
kind: Profile
metadata: { name: bench, owner: o }
network: { default: deny }
send:
  default: allow
  rules:
${body.join("\n")}
`;
  return { text, policy: layer([parseDocument(text, "bench.yaml")]) };
}

interface Engine {
  readonly name: string;
  /** Decisions per round: slow engines get fewer. */
  readonly decisions: (rules: number) => number;
  prepare(rules: readonly When[], policy: Policy): (point: Point) => boolean;
}

/** Every value is one bit of its label; a rule is a mask for each label. */
const bareLoop: Engine = {
  name: "bare loop (floor)",
  decisions: (rules) => 40_000_000 / (rules + 100),
  prepare(rules) {
    const bits = LABELS.map((label) => new Map(VALUES[label]?.map((value, bit) => [value, 1 << bit])));
    const width = LABELS.length;
    const masks = new Uint32Array(rules.length * width).fill(~0);
    for (const [r, when] of rules.entries())
      for (const [l, label] of LABELS.entries())
        if (when[label] !== undefined)
          masks[r * width + l] = when[label].reduce((mask, value) => mask | (bits[l]?.get(value) ?? 0), 0);
    const own = new Uint32Array(width);
    return (point) => {
      for (let l = 0; l < width; l++) own[l] = bits[l]?.get((point as never)[LABELS[l] as never]) ?? 0;
      let allowed = true;
      for (let at = 0; at < masks.length; at += width) {
        let l = 0;
        while (l < width && ((masks[at + l] ?? 0) & (own[l] ?? 0)) !== 0) l++;
        if (l === width) allowed = false;
      }
      return allowed;
    };
  },
};

const ours: Engine = {
  name: "sallyport",
  decisions: (rules) => 40_000_000 / (rules + 100),
  prepare: (_, policy) => (point) => decide(policy, point).verdict === "allow",
};

/** What we use of the peers. */
interface Cedar {
  preparseSchema(name: string, schema: string): object;
  preparsePolicySet(name: string, policies: object): object;
  statefulIsAuthorized(call: object): { response: { decision: string } };
}
interface Cel {
  parse(expression: string): (context: object) => boolean;
}

async function peers(): Promise<Engine[]> {
  const folder = process.env["PEERS"];
  if (folder === undefined) {
    console.log(
      "SKIPPED: other engines (set PEERS to a node_modules that holds them); shown: ours and the floor\n",
    );
    return [];
  }
  const load = (path: string): Promise<unknown> => import(pathToFileURL(join(folder, path)).href);
  const cedar = (await load("@cedar-policy/cedar-wasm/nodejs/cedar_wasm.js")) as Cedar;
  const cel = (await load("@marcbachmann/cel-js/lib/index.js")) as Cel;
  return [
    {
      name: "@marcbachmann/cel-js",
      decisions: (rules) => 1_200_000 / (rules + 100),
      prepare(rules) {
        const programs = rules.map((when) =>
          cel.parse(
            Object.entries(when)
              .map(([label, values]) => `${label} in ${JSON.stringify(values)}`)
              .join(" && "),
          ),
        );
        return (point) => {
          let allowed = true;
          for (const program of programs) if (program(point)) allowed = false;
          return allowed;
        };
      },
    },
    {
      name: "@cedar-policy/cedar-wasm",
      decisions: (rules) => 200_000 / (rules + 100),
      prepare(_, policy) {
        const { policies, schema } = study.exportCedar(policy.layers.map(({ document }) => document));
        // The network section refuses everything here; only the sending is compared.
        const sending = policies.replace(/@id\("bench\/network\.default"\)[^;]*;/, "");
        cedar.preparseSchema("bench", schema);
        cedar.preparsePolicySet("bench", { staticPolicies: sending });
        return (point) =>
          cedar.statefulIsAuthorized({
            principal: { type: "Person", id: "p" },
            action: { type: "Action", id: "leave" },
            resource: { type: "Destination", id: "d" },
            context: point,
            preparsedSchemaName: "bench",
            preparsedPolicySetId: "bench",
            validateRequest: true,
            entities: [],
          }).response.decision === "allow";
      },
    },
  ];
}

const cpuMicroseconds = (work: () => void): number => {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
};

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const engines = [bareLoop, ours, ...(await peers())];
const points = randomPoints(sequence(7));
console.log(
  `Node ${process.version}, ${ROUNDS} rounds each, CPU µs per decision (median; least in brackets)\n`,
);
for (const size of SIZES) {
  const rules = randomRules(size, sequence(size));
  const { policy } = policyOf(rules);
  const used = engines.filter(({ name }) => size <= 1_000 || name === ours.name || name === bareLoop.name);
  const prepared = used.map((engine) => engine.prepare(rules, policy));
  const expected = points.map(prepared[0] ?? (() => false));
  const allowRate = expected.filter(Boolean).length / points.length;
  for (const [i, ask] of prepared.entries())
    for (const [at, point] of points.slice(0, 256).entries())
      if (ask(point) !== expected[at])
        throw new Error(`${used[i]?.name} disagrees at ${JSON.stringify(point)}`);
  const costs = used.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, engine] of used.entries()) {
      const decisions = Math.ceil(engine.decisions(size));
      const ask = prepared[i] ?? (() => false);
      const spent = cpuMicroseconds(() => {
        for (let n = 0; n < decisions; n++) ask(points[n % POINTS] as Point);
      });
      costs[i]?.push(spent / decisions);
    }
  const floor = median(costs[0] ?? []);
  console.log(`${size} rules, ${(100 * allowRate).toFixed(1)} % allowed`);
  for (const [i, engine] of used.entries()) {
    const own = costs[i] ?? [];
    const ratio = (median(own) / floor).toFixed(2);
    console.log(
      `  ${engine.name.padEnd(26)} ${median(own).toFixed(2).padStart(9)} (${Math.min(...own).toFixed(2)})  ×${ratio} of the floor`,
    );
  }
}

const big = policyOf(randomRules(10_000, sequence(10_000)));
const parsing = cpuMicroseconds(() => layer([parseDocument(big.text, "big.yaml")]));
console.log(
  `\n10,000-rule document (${(big.text.length / 1e6).toFixed(1)} MB): parsed, checked and indexed in ${(parsing / 1e6).toFixed(2)} s CPU`,
);

const everyday = layer([parseDocument(readyProfile("engineer") ?? "", "engineer.yaml")]);
const recorded = points.map(
  (point, entry): study.Judgement => ({
    entry,
    verdict: "allow",
    points: [{ ...point, host: "api.anthropic.com" }],
  }),
);
function* million(): Generator<study.Judgement> {
  for (let n = 0; n < 1_000_000; n++) yield recorded[n % POINTS] as study.Judgement;
}
const replaying = cpuMicroseconds(() => study.replay(everyday, million(), "en"));
console.log(
  `replay of 1,000,000 judgements under the ready profile \`engineer\`: ${(replaying / 1e6).toFixed(2)} s CPU`,
);
