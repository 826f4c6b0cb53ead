// Package managers as they are, none of which is told of the gateway, in real sessions: what the profile allows works, what it
// does not is refused at once, with words. The internet is one address in a network namespace (system/package-world.ts).
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readyProfile } from "../../src/policy/index.ts";
import { SALLYPORT } from "../harness.ts";

const ADDRESS = "10.99.88.77";
const HOSTS = {
  git: "git.test",
  go: "goproxy.test",
  pip: "pypi.test",
  npm: "npm.test",
  not: "elsewhere.test",
};
const WORLD = join(import.meta.dirname, "../system/package-world.ts");
const has = (program: string): boolean => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
const canMake = process.getuid?.() === 0 && has("ip");
if (!canMake)
  process.stderr.write("\n!!! NOT CHECKED: not root, or no `ip`: package managers in real sessions\n");

const SERVES_SSH = has("dropbear");
if (canMake && !SERVES_SSH)
  process.stderr.write(
    "\n!!! NOT CHECKED: no `dropbear` (Debian: dropbear-bin): git over SSH to an allowed host\n",
  );

let folder: string;
const at = (...names: string[]): string => join(folder, ...names);
const write = (path: string, text: string): void => {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), text);
};

/** A repository as `git clone` reads it from plain files. */
function gitSite(): void {
  const git = (...args: string[]): void =>
    void execFileSync("git", args, {
      cwd: at("made"),
      stdio: "ignore",
      env: { PATH: process.env["PATH"], HOME: folder },
    });
  write("made/hello.txt", "hello git\n");
  git("init", "-q");
  git("add", ".");
  git("-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "one");
  git("clone", "-q", "--bare", ".", at("site", HOSTS.git, "hello.git"));
  execFileSync("git", ["update-server-info"], { cwd: at("site", HOSTS.git, "hello.git") });
}

function goSite(): void {
  const site = `site/${HOSTS.go}/example.com/hello/@v`;
  const mod = "module example.com/hello\n\ngo 1.18\n";
  write("go/example.com/hello@v1.0.0/go.mod", mod);
  write(
    "go/example.com/hello@v1.0.0/hello.go",
    'package hello\n\nfunc Word() string { return "hello go" }\n',
  );
  write(`${site}/list`, "v1.0.0\n");
  write(`${site}/v1.0.0.info`, '{"Version":"v1.0.0","Time":"2026-01-01T00:00:00Z"}');
  write(`${site}/v1.0.0.mod`, mod);
  // Files alone: an entry for a folder is no part of a module.
  const zip =
    "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w') as z:\n for name in sys.argv[2:]: z.write(name)";
  const files = ["go.mod", "hello.go"].map((name) => `example.com/hello@v1.0.0/${name}`);
  execFileSync("python3", ["-c", zip, at(site, "v1.0.0.zip"), ...files], { cwd: at("go") });
}

function pipSite(): void {
  const wheel = "hello_sp-1.0-py3-none-any.whl";
  write("wheel/hello_sp.py", 'WORD = "hello pip"\n');
  write("wheel/hello_sp-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: hello-sp\nVersion: 1.0\n");
  write(
    "wheel/hello_sp-1.0.dist-info/WHEEL",
    "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
  );
  write("wheel/hello_sp-1.0.dist-info/RECORD", "");
  write(
    `site/${HOSTS.pip}/simple/hello-sp/index.html`,
    `<!DOCTYPE html><html><body><a href="/${wheel}">${wheel}</a></body></html>`,
  );
  execFileSync(
    "python3",
    ["-m", "zipfile", "-c", at("site", HOSTS.pip, wheel), "hello_sp.py", "hello_sp-1.0.dist-info"],
    {
      cwd: at("wheel"),
    },
  );
}

function npmSite(): void {
  write("package/package.json", '{"name":"hello-sp","version":"1.0.0","main":"index.js"}');
  write("package/index.js", 'module.exports = "hello npm";\n');
  mkdirSync(at("site", HOSTS.npm), { recursive: true });
  execFileSync("tar", ["czf", at("site", HOSTS.npm, "hello-sp-1.0.0.tgz"), "package"], { cwd: folder });
  const dist = { tarball: `https://${HOSTS.npm}/hello-sp-1.0.0.tgz` };
  const version = { name: "hello-sp", version: "1.0.0", main: "index.js", dist };
  write(
    `site/${HOSTS.npm}/hello-sp`,
    JSON.stringify({ name: "hello-sp", "dist-tags": { latest: "1.0.0" }, versions: { "1.0.0": version } }),
  );
}

/** Whom the SSH server lets in, and by which key. */
function sshServer(): void {
  execFileSync("dropbearkey", ["-t", "ed25519", "-f", at("host_key")], { stdio: "ignore" });
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at("work/deploy")]);
  write(".ssh/authorized_keys", readFileSync(at("work/deploy.pub"), "utf8"));
  write("passwd", `root:x:0:0:root:${folder}:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n`);
}

/** No program is told of a proxy. */
const PLAIN = "unset HTTPS_PROXY HTTP_PROXY https_proxy http_proxy NODE_USE_ENV_PROXY;";

/** In a session in the namespace; `seconds` it took. */
function session(script: string): {
  readonly code: number | null;
  readonly out: string;
  readonly seconds: number;
} {
  const make = [
    `ip link set lo up; ip addr add ${ADDRESS}/32 dev lo; mount --bind ${at("hosts")} /etc/hosts;`,
    SERVES_SSH ? `mount --bind ${at("passwd")} /etc/passwd;` : "",
    `exec ${process.execPath} ${WORLD} ${folder} ${SALLYPORT} run -q -p ${at("profile.yaml")} -- bash ${at("work/script.sh")}`,
  ].join(" ");
  writeFileSync(
    at("work/script.sh"),
    `${PLAIN} SECONDS=0; ${script}; code=$?; echo "took $SECONDS"; exit $code\n`,
  );
  const done = spawnSync("unshare", ["-n", "-m", "sh", "-c", make], {
    cwd: at("work"),
    encoding: "utf8",
    env: { PATH: process.env["PATH"], HOME: at("home"), SALLYPORT_HOME: at("state") },
  });
  // The station lives in that namespace and is of no use to the next.
  spawnSync(SALLYPORT, ["down", "--force"], {
    env: { PATH: process.env["PATH"], HOME: at("home"), SALLYPORT_HOME: at("state") },
  });
  const out = `${done.stdout}${done.stderr}`;
  return { code: done.status, out, seconds: Number(/took (\d+)/.exec(out)?.[1] ?? Number.NaN) };
}

describe.skipIf(!canMake)("in a session that knows of no proxy", () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "sp-packages-"));
    for (const name of ["work", "home"]) mkdirSync(at(name));
    write("hosts", `127.0.0.1 localhost\n${ADDRESS} ${Object.values(HOSTS).join(" ")}\n`);
    const rule = `    - id: test-packages
      title: Packages of the test may be read
      because: They are what is tested
      hosts: [${HOSTS.git}, ${HOSTS.go}, ${HOSTS.pip}, ${HOSTS.npm}]
      ports: [443, 22]
      private: true
`;
    write("profile.yaml", (readyProfile("default") ?? "").replace(/^ {2}allow:\n/m, `  allow:\n${rule}`));
    gitSite();
    goSite();
    pipSite();
    npmSite();
    if (SERVES_SSH) sshServer();
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("git over HTTPS: a clone; from elsewhere a quick refusal", () => {
    const ok = session(`git clone -q https://${HOSTS.git}/hello.git got && cat got/hello.txt`);
    expect(ok).toMatchObject({ code: 0, out: expect.stringContaining("hello git") });
    const not = session(`git clone -q https://${HOSTS.not}/hello.git no`);
    expect(not).toMatchObject({ code: 128, out: expect.stringMatching(/could not resolve host|refused/i) });
    expect(not.seconds).toBeLessThan(5);
  });

  it.skipIf(!SERVES_SSH)(
    "git over SSH to an allowed host and port: a clone and a push, through no proxy of its own",
    () => {
      const ssh =
        "ssh -i $PWD/deploy -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR";
      const url = `ssh://root@${HOSTS.git}${at("site", HOSTS.git, "hello.git")}`;
      const ok = session(
        [
          `export GIT_SSH_COMMAND="${ssh}"`,
          `mkdir ssh; cd ssh; git clone -q ${url} got && cd got`,
          "cat hello.txt && git -c user.name=t -c user.email=t@example.com commit -q --allow-empty -m two && git push -q origin HEAD:refs/heads/two",
        ].join("; "),
      );
      expect(ok).toMatchObject({ code: 0, out: expect.stringContaining("hello git") });
      const branches = execFileSync("git", ["branch", "--list", "two"], {
        cwd: at("site", HOSTS.git, "hello.git"),
      });
      expect(branches.toString()).toContain("two");
    },
  );

  it("git over SSH to a host that is not allowed: a quick refusal", () => {
    const not = session(
      `GIT_SSH_COMMAND='ssh -o StrictHostKeyChecking=no' git clone -q ssh://git@${HOSTS.not}/hello.git no`,
    );
    expect(not).toMatchObject({
      code: 128,
      out: expect.stringMatching(/could not resolve hostname|refused/i),
    });
    expect(not.seconds).toBeLessThan(5);
  });

  it.skipIf(!has("go"))("Go: a module, built and run; from elsewhere a quick refusal", () => {
    write("work/go/go.mod", "module t\n\ngo 1.18\n\nrequire example.com/hello v1.0.0\n");
    write(
      "work/go/main.go",
      'package main\n\nimport "example.com/hello"\n\nfunc main() { println(hello.Word()) }\n',
    );
    const ok = session(
      `cd go && GONOSUMDB=* GONOSUMCHECK=1 GOFLAGS=-mod=mod GOPROXY=https://${HOSTS.go} go run .`,
    );
    expect(ok).toMatchObject({ code: 0, out: expect.stringContaining("hello go") });
    const not = session(
      `cd go && GONOSUMDB=* GOFLAGS=-mod=mod GOMODCACHE=/tmp/m GOPROXY=https://${HOSTS.not} go mod download`,
    );
    expect(not).toMatchObject({ code: 1, out: expect.stringMatching(/no such host|refused/) });
    expect(not.seconds).toBeLessThan(5);
  });

  it("pip: a wheel, installed and imported; from elsewhere a refusal", () => {
    const pip =
      "/usr/bin/python3 -m pip --disable-pip-version-check --no-cache-dir install -q --retries 0 --target lib";
    const ok = session(
      `${pip} --index-url https://${HOSTS.pip}/simple hello-sp && PYTHONPATH=lib /usr/bin/python3 -c 'import hello_sp; print(hello_sp.WORD)'`,
    );
    expect(ok).toMatchObject({ code: 0, out: expect.stringContaining("hello pip") });
    const not = session(`${pip} --index-url https://${HOSTS.not}/simple hello-sp`);
    expect(not.code).toBe(1);
    expect(not.seconds).toBeLessThan(20);
  });

  it("npm: a package, installed and required; from elsewhere a refusal", () => {
    write("work/npm/package.json", '{"private":true}');
    const ok = session(
      `cd npm && npm install --no-audit --no-fund --registry https://${HOSTS.npm}/ hello-sp >/dev/null && node -p 'require("hello-sp")'`,
    );
    expect(ok).toMatchObject({ code: 0, out: expect.stringContaining("hello npm") });
    const not = session(
      `cd npm && npm install --fetch-retries 0 --registry https://${HOSTS.not}/ hello-other`,
    );
    expect(not).toMatchObject({ code: 1, out: expect.stringMatching(/ENOTFOUND|ECONNREFUSED/) });
    expect(not.seconds).toBeLessThan(20);
  });

  it("MCP over stdio, and a server that the agent starts, work as they do outside", () => {
    write(
      "work/mcp.py",
      `import sys, json
for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": {"tools": [{"name": "hello"}]}}), flush=True)
`,
    );
    const ask = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
    const serve = "/usr/bin/python3 -m http.server 8123 --bind 127.0.0.1 >/dev/null 2>&1 & server=$!";
    const get =
      "curl -sS --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:8123/mcp.py | head -1";
    const ran = session(`echo '${ask}' | /usr/bin/python3 mcp.py; ${serve}; ${get}; kill $server`);
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.out).toContain('"tools": [{"name": "hello"}]');
    expect(ran.out).toContain("import sys, json");
  });
});
