/**
 * `node scripts/gateway-outside.ts [--seconds 10]`: programs that others wrote against a gateway on loopback. h2load asks over
 * HTTP/2 and HTTP/1.1, slowhttptest dawdles, sslscan and testssl look at the TLS of the interception door. What is not
 * installed is named and left out (Debian: nghttp2-client slowhttptest sslscan testssl.sh). Prints a table; exits 1 when a
 * program that ran did not end well.
 */
import { execFile } from "node:child_process";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect, createServer as createTcp, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { policyOf, startRig } from "../src/gateway/rig.testkit.ts";

const { values } = parseArgs({ options: { seconds: { type: "string", default: "10" } } });
const seconds = Math.min(60, Math.max(5, Number(values.seconds)));
const HOST = "api.anthropic.com";

const portOf = async (server: Server | ReturnType<typeof createTcp>): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port; // a listening TCP server always has one
};

const model = createServer((request, response) => {
  request.resume();
  request.on("end", () => response.end('{"content":[]}'));
});
const upstream = new URL(`http://127.0.0.1:${await portOf(model)}`);
const rig = await startRig({ policy: policyOf({ hosts: [HOST] }), upstream });

/** A TCP port before the session's socket; `first` is said there before the client is heard. */
function doorSaying(first: string): ReturnType<typeof createTcp> {
  return createTcp({ noDelay: true }, (agent: Socket) => {
    const gate = connect(rig.socketPath);
    for (const [from, to] of [
      [agent, gate],
      [gate, agent],
    ] as const) {
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
    const join = (): void => {
      agent.pipe(gate);
      gate.pipe(agent);
    };
    if (first === "") return join();
    gate.write(first);
    gate.once("data", join); // the tunnel's 200, which the client did not ask for
  });
}
const base = await portOf(doorSaying(""));
const secure = await portOf(doorSaying(`CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}:443\r\n\r\n`));

interface Trial {
  readonly program: string;
  readonly what: string;
  readonly words: readonly string[];
  /** Lines of its output that say how it went. */
  readonly tells: RegExp;
  /** What its output must say, and what it must not. */
  readonly wants: RegExp;
  readonly hates: RegExp;
}

const plain = `http://127.0.0.1:${base}/${HOST}/v1/messages`;
const NEVER = /(?!)/;
const dawdling = (what: string, ...words: readonly string[]): Trial => ({
  program: "slowhttptest",
  what,
  words: [...words, "-c", "200", "-r", "100", "-i", "2", "-l", String(seconds), "-p", "3", "-u", plain],
  tells: /service available:|^Exit status/,
  wants: /service available:\s*YES/,
  hates: /service available:\s*NO/,
});
const TRIALS: readonly Trial[] = [
  {
    program: "h2load",
    what: "HTTP/2 by interception, 4 connections of 25 streams",
    words: [
      ...["-n", "1000", "-c", "4", "-m", "25", `--connect-to=127.0.0.1:${secure}`],
      `https://${HOST}/v1/messages`,
    ],
    tells: /^(?:finished|requests|status codes):?/,
    wants: /1000 succeeded, 0 failed, 0 errored/,
    hates: NEVER,
  },
  {
    program: "h2load",
    what: "HTTP/1.1 by base URL, 8 connections",
    words: ["--h1", "-n", "1000", "-c", "8", plain],
    tells: /^(?:finished|requests|status codes):?/,
    wants: /1000 succeeded, 0 failed, 0 errored/,
    hates: NEVER,
  },
  dawdling("slow heads, 200 connections", "-H"),
  dawdling("slow bodies, 200 connections", "-B"),
  dawdling("slow reading, 200 connections", "-X"),
  {
    program: "sslscan",
    what: "protocols and ciphers",
    words: ["--no-colour", `--sni-name=${HOST}`, `127.0.0.1:${secure}`],
    tells: /(?:SSLv\d|TLSv1\.\d) +enabled|Heartbleed|vulnerable to|Preferred/,
    wants: /TLSv1\.3 +enabled/,
    hates: /(?:SSLv\d|TLSv1\.[01]) +enabled|[^t] vulnerable to heartbleed/,
  },
  {
    program: "testssl",
    what: "protocols, cipher categories, known weaknesses",
    words: [
      ...["--quiet", "--color", "0", "--warnings", "off", "-p", "-s", "-U"],
      "--ip",
      "127.0.0.1",
      `${HOST}:${secure}`,
    ],
    tells: /VULNERABLE|not ok|offered \(deprecated\)|TLS 1\.[0-3] /i,
    wants: /TLS 1\.3 +offered \(OK\)/,
    hates: /(?<!not )(?<!potentially )VULNERABLE \(NOT ok\)|SSLv[23] +offered/,
  },
];

const run = (
  trial: Trial,
): Promise<{ readonly isThere: boolean; readonly isOver: boolean; readonly out: string }> =>
  new Promise((resolve) => {
    const options = { timeout: 12 * seconds * 1000, maxBuffer: 16 * 1024 * 1024 };
    const child = execFile(trial.program, [...trial.words], options, (error, out, told) =>
      resolve({ isThere: error?.code !== "ENOENT", isOver: error?.killed !== true, out: out + told }),
    );
    child.stdin?.end();
  });

const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*[A-Za-z]`, "g");
let isBad = false;
for (const trial of TRIALS) {
  const { isThere, isOver, out } = await run(trial);
  if (!isThere) {
    console.log(`- ${trial.program}: not installed, left out (${trial.what})`);
    continue;
  }
  const text = out.replace(ESCAPES, "");
  const isGood = isOver && trial.wants.test(text) && !trial.hates.test(text);
  isBad ||= !isGood;
  console.log(
    `${isGood ? "ok " : "BAD"} ${trial.program}: ${trial.what}${isOver ? "" : " (did not end in time)"}`,
  );
  const lines = text.split(/\r?\n/).map((line) => line.trim().replace(/\s+/g, " "));
  for (const line of new Set(lines.filter((one) => trial.tells.test(one)).slice(-12)))
    console.log(`      ${line}`);
}
const kinds = Map.groupBy(rig.entries, ({ body }) => body.kind);
console.log(`record: ${[...kinds].map(([kind, those]) => `${kind} ${those.length}`).join(", ")}`);
await rig.close();
model.closeAllConnections();
process.exit(isBad ? 1 : 0);
