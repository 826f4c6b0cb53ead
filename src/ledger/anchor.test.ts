// Time stamps by OpenSSL's authority (`openssl ts`), and OpenSSL's verdict on what we store.
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemClock } from "../core/index.ts";
import { anchorCheckpoint } from "./authority.ts";
import { der, readDer } from "./der.ts";
import { type Ledger, openLedger, verifyLedger } from "./index.ts";
import { certificatesOf, checkTimestamp, isForTimestampsAlone, timestampRequest } from "./timestamp.ts";

const home = mkdtempSync(join(tmpdir(), "anchor-"));
const at = (name: string): string => join(home, name);
const openssl = (...args: string[]): Buffer =>
  execFileSync("openssl", args, { cwd: home, stdio: ["ignore", "pipe", "pipe"] });
const NONCE = Buffer.from("4142434445464748", "hex");

/** A root, a TSA under it with an intermediate between, and certificates that must not do. */
function makeAuthorities(): void {
  const config = [
    "[tsa]\ndefault_tsa=authority",
    `[authority]\nserial=${at("serial")}\ndefault_policy=1.2.3.4\ndigests=sha256\naccuracy=secs:1\ness_cert_id_alg=sha256\nsigner_digest=sha256\ncrypto_device=builtin`,
    "[ca]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign",
    "[stamps]\nextendedKeyUsage=critical,timeStamping",
    "[uncritical]\nextendedKeyUsage=timeStamping",
    "[serves]\nextendedKeyUsage=critical,timeStamping,serverAuth",
  ];
  writeFileSync(at("openssl.cnf"), `${config.join("\n")}\n`);
  writeFileSync(at("serial"), "01\n");
  const key = (name: string, ...algorithm: string[]): unknown =>
    openssl("genpkey", ...algorithm, "-out", `${name}.key`);
  const EC = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
  const self = (name: string): unknown => {
    key(name, ...EC);
    return openssl(
      "req",
      "-new",
      "-x509",
      "-key",
      `${name}.key`,
      "-subj",
      `/CN=${name}`,
      "-days",
      "30",
      "-out",
      `${name}.pem`,
    );
  };
  const issued = (name: string, by: string, section: string, days = "30", subject = name): void => {
    openssl("req", "-new", "-key", `${name}.key`, "-subj", `/CN=${subject}`, "-out", "request.pem");
    openssl(
      ..."x509 -req -in request.pem -CAcreateserial -extfile openssl.cnf".split(" "),
      "-days",
      days,
      "-CA",
      `${by}.pem`,
      "-CAkey",
      `${by}.key`,
      "-extensions",
      section,
      "-out",
      `${name}.pem`,
    );
  };
  self("root");
  self("stranger");
  key("middle", ...EC);
  issued("middle", "root", "ca");
  writeFileSync(at("stale.key"), readFileSync(at("middle.key")));
  issued("stale", "root", "ca", "-1", "middle");
  key("tsa", ...EC);
  issued("tsa", "middle", "stamps");
  key("tsa-rsa", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048");
  issued("tsa-rsa", "middle", "stamps");
  key("uncritical", ...EC);
  issued("uncritical", "middle", "uncritical");
  key("serves", ...EC);
  issued("serves", "middle", "serves");
}

function reply(request: Buffer, by = "tsa", chain = "middle.pem"): Buffer {
  writeFileSync(at("request.tsq"), request);
  openssl(
    "ts",
    "-reply",
    "-config",
    "openssl.cnf",
    "-queryfile",
    "request.tsq",
    "-signer",
    `${by}.pem`,
    "-inkey",
    `${by}.key`,
    "-chain",
    chain,
    "-out",
    "reply.tsr",
  );
  return readFileSync(at("reply.tsr"));
}

let server: Server;
let url = "";
/** Taken instead of the authority's own answer. */
let wrong: ((request: Buffer) => Buffer | null) | null = null;
let ledger: Ledger;
const directory = at("ledger");
const roots = (): string => readFileSync(at("root.pem"), "utf8");

beforeAll(async () => {
  makeAuthorities();
  server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const query = Buffer.concat(parts);
      const answer = wrong === null ? reply(query) : wrong(query);
      response.writeHead(answer === null ? 500 : 200, { "content-type": "application/timestamp-reply" });
      response.end(answer ?? "");
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/tsr`;
  ledger = await openLedger({ directory, keyDirectory: at("keys"), clock: systemClock, program: "test" });
  await ledger.checkpoint();
});
afterAll(async () => {
  await ledger.close();
  server.close();
});

it("a checkpoint is stamped once; OpenSSL accepts what is stored, and so does verify, offline", async () => {
  const before = Math.floor(Date.now() / 1000) * 1000;
  const anchored = await anchorCheckpoint(directory, { url, roots: roots() });
  expect(anchored).toMatchObject({ size: 1, authority: "CN=tsa" });
  expect(anchored?.at).toBeGreaterThanOrEqual(before);
  expect(await anchorCheckpoint(directory, { url, roots: roots() })).toBeNull();
  const said = openssl(
    "ts",
    "-verify",
    "-in",
    join(directory, "anchors/1.tsr"),
    "-data",
    join(directory, "anchors/1.note"),
    "-CAfile",
    "root.pem",
  );
  expect(said.toString()).toContain("Verification: OK");
  expect(await verifyLedger(directory, undefined, { anchorRoots: roots() })).toMatchObject({
    ok: true,
    anchored: [anchored],
  });
  const verifier = join(import.meta.dirname, "verify-standalone.ts");
  const alone = spawnSync(process.execPath, [verifier, directory, "--anchor-roots", at("root.pem")], {
    encoding: "utf8",
  });
  expect(alone).toMatchObject({ status: 0, stdout: expect.stringContaining("anchor    1 entries") });
});

it.each<[string, (request: Buffer) => Buffer | null, string]>([
  ["gone", () => null, "it answered 500"],
  ["talking nonsense", () => Buffer.from("<html>"), "ends early"],
  [
    "stamping another request",
    () => reply(timestampRequest(Buffer.from("other"), NONCE)),
    "it stamps other bytes",
  ],
  ["refusing", () => der(0x30, der(0x30, der(0x02, Buffer.from([2])))), "the authority refused"],
  ["without its chain", (q) => reply(q, "tsa", "root.pem"), "no chain leads"],
  ["under a certificate that has expired", (q) => reply(q, "tsa", "stale.pem"), "was not valid then"],
  ["endless", () => Buffer.alloc(100_000), "too long"],
])("an authority that is %s leaves no anchor", async (_, answer, problem) => {
  wrong = answer;
  await ledger.hold(`case-${problem.length}`, [], "local:0").catch(() => undefined);
  await ledger.checkpoint();
  const before = readdirSync(join(directory, "anchors"));
  await expect(anchorCheckpoint(directory, { url, roots: roots() })).rejects.toThrow(problem);
  expect(readdirSync(join(directory, "anchors"))).toEqual(before);
  wrong = null;
});

it.each([
  ["tsa", true],
  ["serves", false],
  ["uncritical", false],
  ["middle", false],
])("the certificate %s is for time-stamping alone, critically: %s", (name, isForStamping) => {
  const [certificate] = certificatesOf(readFileSync(at(`${name}.pem`), "utf8"));
  expect(certificate !== undefined && isForTimestampsAlone(certificate)).toBe(isForStamping);
});

it("a repeated answer is refused by its nonce", () => {
  const bytes = Buffer.from("checkpoint");
  const response = reply(timestampRequest(bytes, NONCE));
  const trusted = certificatesOf(roots());
  expect(checkTimestamp(response, bytes, NONCE, trusted)).toMatchObject({ authority: "CN=tsa" });
  expect(() => checkTimestamp(response, bytes, Buffer.from("5142434445464748", "hex"), trusted)).toThrow(
    "nonce",
  );
  expect(checkTimestamp(response, bytes, null, trusted)).toMatchObject({ authority: "CN=tsa" });
});

it("RSA signs too; a stranger's root is refused", () => {
  const bytes = Buffer.from("checkpoint");
  const response = reply(timestampRequest(bytes, NONCE), "tsa-rsa");
  expect(checkTimestamp(response, bytes, NONCE, certificatesOf(roots()))).toMatchObject({
    authority: "CN=tsa-rsa",
  });
  const strangers = certificatesOf(readFileSync(at("stranger.pem"), "utf8"));
  expect(() => checkTimestamp(response, bytes, NONCE, strangers)).toThrow("no chain leads");
  expect(() => certificatesOf("nothing")).toThrow("no certificate");
});

it("each single bit flipped in a token, but for what nothing signs, is refused, and nothing but a fault is thrown", () => {
  const bytes = Buffer.from("checkpoint");
  const response = reply(timestampRequest(bytes, NONCE));
  const trusted = certificatesOf(roots());
  const { at: told } = checkTimestamp(response, bytes, NONCE, trusted);
  let accepted = 0;
  for (let n = 0; n < response.length; n++) {
    const altered = Buffer.from(response);
    altered[n] = (altered[n] ?? 0) ^ (1 << (n % 8));
    try {
      expect(checkTimestamp(altered, bytes, NONCE, trusted).at).toBe(told);
      accepted++;
    } catch (error) {
      expect(error, `byte ${n}`).toMatchObject({ code: "anchor.invalid" });
    }
  }
  // Versions, the signer's issuer and serial, algorithm parameters: read by nobody, or named again under the signature.
  expect(accepted).toBeLessThan(response.length / 8);
});

it("a stored anchor that is altered, taken from another log, or missing its note is named", async () => {
  const copy = (): string => {
    const to = mkdtempSync(join(tmpdir(), "anchor-"));
    cpSync(directory, to, { recursive: true });
    return to;
  };
  const problems = async (to: string): Promise<unknown> =>
    (await verifyLedger(to, ledger.verifierKey, { anchorRoots: roots() })).problems;
  const renamed = copy();
  renameSync(join(renamed, "anchors/1.note"), join(renamed, "anchors/other"));
  expect(await problems(renamed)).toEqual([{ at: "anchors/1", problem: "missing" }]);
  const altered = copy();
  writeFileSync(join(altered, "anchors/1.note"), "x");
  expect(await problems(altered)).toEqual([
    { at: "anchors/1", problem: expect.stringContaining("it stamps other bytes") },
  ]);
  const other = await openLedger({
    directory: at("other"),
    keyDirectory: at("keys"),
    clock: systemClock,
    program: "test",
  });
  await other.checkpoint();
  await anchorCheckpoint(at("other"), { url, roots: roots() });
  await other.close();
  expect(existsSync(at("other/anchors/1.tsr"))).toBe(true);
  const foreign = copy();
  cpSync(at("other/anchors"), join(foreign, "anchors"), { recursive: true });
  expect(await problems(foreign)).toEqual([
    { at: "anchors/1", problem: "the note is signed by no known key" },
  ]);
});

it.each(["3003020100ff", "308003020100", "30810302010000", "1f0101", "30820003020100"])(
  "DER %s is refused",
  (hex) => {
    expect(() => readDer(Buffer.from(hex, "hex"))).toThrow(
      expect.objectContaining({ code: "anchor.invalid" }),
    );
  },
);
