/**
 * An internet of one machine, for tests: started in a network namespace of its own, with an address that is not loopback's and
 * names for it. Serves a git repository, a Go module, a Python package and an npm package over HTTPS, each under its own
 * name, and the repository over SSH where there is a host key; then runs a command with the state folder's sallyport, and ends
 * with it.
 *
 *   node package-world.ts FOLDER COMMAND…      FOLDER/site/<host>/…: what is served; FOLDER/host_key: the SSH server's
 */
import { spawn } from "node:child_process";
import { createReadStream, existsSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { join, normalize } from "node:path";
import { World } from "../../src/gateway/rig.testkit.ts";

export const ADDRESS = "10.99.88.77";

const [folder = "", file = "", ...args] = process.argv.slice(2);
const world = new World();
writeFileSync(join(folder, "root.pem"), world.root);

const server = createServer(
  { SNICallback: (name, give) => give(null, world.contextFor(name)) },
  (request, response) => {
    const host = (request.headers.host ?? "").replace(/:\d+$/, "");
    const path = normalize(decodeURIComponent((request.url ?? "/").split("?")[0] ?? "/"));
    const at = join(folder, "site", host, path.endsWith("/") ? `${path}index.html` : path);
    const stat = statSync(at, { throwIfNoEntry: false });
    if (stat?.isFile() !== true) {
      response.writeHead(404).end();
      return;
    }
    const type = at.endsWith(".html")
      ? "text/html"
      : at.endsWith(".json")
        ? "application/json"
        : "application/octet-stream";
    response.writeHead(200, { "content-type": type, "content-length": stat.size });
    createReadStream(at).pipe(response);
  },
);
await new Promise<void>((resolve) => server.listen(443, ADDRESS, resolve));
const hostKey = join(folder, "host_key");
const ssh = existsSync(hostKey)
  ? spawn(
      "dropbear",
      ["-F", "-E", "-m", "-s", "-p", `${ADDRESS}:22`, "-r", hostKey, "-P", join(folder, "dropbear.pid")],
      { stdio: "ignore" },
    )
  : null;
const child = spawn(file, args, {
  stdio: "inherit",
  env: { ...process.env, NODE_EXTRA_CA_CERTS: join(folder, "root.pem") },
});
const code = await new Promise<number>((resolve) => child.once("close", (value) => resolve(value ?? 1)));
ssh?.kill();
process.exit(code);
