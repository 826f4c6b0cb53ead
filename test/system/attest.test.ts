// What the config folder names is what the station does: a time-stamp authority and a witness, real programs where there are.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, watch, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Place } from "../harness.ts";

const home = mkdtempSync(join(tmpdir(), "attest-"));
const openssl = (...args: string[]): Buffer =>
  execFileSync("openssl", args, { cwd: home, stdio: ["ignore", "pipe", "pipe"] });
let authority: Server;
let url = "";
const place = new Place();
const config = join(place.state, "config");
const setting = (name: string, text: string): void => {
  mkdirSync(config, { recursive: true });
  writeFileSync(join(config, name), text);
};

beforeAll(async () => {
  const settings = [
    "[tsa]\ndefault_tsa=authority\n[authority]\nserial=serial\ndefault_policy=1.2.3.4\ndigests=sha256",
    "signer_digest=sha256\ness_cert_id_alg=sha256\ncrypto_device=builtin",
    "[stamps]\nextendedKeyUsage=critical,timeStamping\n[root]\nbasicConstraints=critical,CA:TRUE",
    "[req]\ndistinguished_name=dn\n[dn]",
  ];
  writeFileSync(join(home, "openssl.cnf"), `${settings.join("\n")}\n`);
  writeFileSync(join(home, "serial"), "01\n");
  for (const name of ["root", "tsa"])
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", `${name}.key`);
  openssl(
    ..."req -new -x509 -config openssl.cnf -extensions root -key root.key -subj /CN=root -out root.pem".split(
      " ",
    ),
  );
  openssl(..."req -new -config openssl.cnf -key tsa.key -subj /CN=tsa -out tsa.csr".split(" "));
  openssl(
    ..."x509 -req -in tsa.csr -CA root.pem -CAkey root.key -CAcreateserial -extfile openssl.cnf -extensions stamps".split(
      " ",
    ),
    ..."-out tsa.pem".split(" "),
  );
  authority = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      writeFileSync(join(home, "query"), Buffer.concat(parts));
      openssl(
        ..."ts -reply -config openssl.cnf -queryfile query -signer tsa.pem -inkey tsa.key -out reply".split(
          " ",
        ),
      );
      response.end(readFileSync(join(home, "reply")));
    });
  });
  await once(authority.listen(0, "127.0.0.1"), "listening");
  url = `http://127.0.0.1:${(authority.address() as AddressInfo).port}/`;
});
afterAll(async () => {
  authority.close();
  await place.close();
});

/** Resolves when a file of this name lies in the folder. */
async function appears(folder: string, name: RegExp): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const watcher = watch(folder);
  while (!readdirSync(folder).some((file) => name.test(file))) await once(watcher, "change");
  watcher.close();
}

it("a station stamps its checkpoint by the authority that anchor.yaml names, and verify tells the time", async () => {
  setting("anchor.yaml", `url: ${url}\nroots: roots.pem\n`);
  setting("roots.pem", readFileSync(join(home, "root.pem"), "utf8"));
  expect((await place.run(["up"])).code).toBe(0);
  await appears(join(place.state, "ledger/anchors"), /\.tsr$/);
  const { code, stdout } = await place.run(["verify"]);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/time stamp: 1 entries, .*by CN=tsa/)]);
  await place.run(["down"]);
});

it("a quorum that is not met is a problem that verify names; a policy that is none keeps the station from starting", async () => {
  const key = "w.example+e25d5acc+BAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";
  setting("witness.policy", `witness w ${key} http://127.0.0.1:9/\nquorum w\n`);
  const told = await place.run(["verify"]);
  expect([told.code, told.stdout]).toEqual([7, expect.stringContaining("not witnessed: the quorum `w`")]);
  setting("witness.policy", "quorum w\n");
  const refused = await place.run(["up"]);
  expect([refused.code === 0, refused.stderr]).toEqual([false, expect.stringContaining("witness.policy:1")]);
  setting("witness.policy", "quorum none\n");
  expect((await place.run(["verify"])).code).toBe(0);
});
