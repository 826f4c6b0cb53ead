/** An npm registry on loopback that serves what a test makes: an organisation's own mirror, honest or not. */
import { execFileSync } from "node:child_process";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export interface Served {
  readonly manifest: { readonly name: string; readonly version: string } & Record<string, unknown>;
  /** Path in the package to text; a text that begins with `#!` is executable. */
  readonly files: Readonly<Record<string, string>>;
}

export interface Mirror {
  readonly url: string;
  /** Paths that were asked for. */
  readonly asked: string[];
  /** Serves these packages from now on. `claims`: hashes of other bytes than are served. */
  serve(packages: readonly Served[], claims?: "honest" | "of what was served before"): void;
  close(): Promise<void>;
}

/** Signs with a key of its own, as some registries do. */
export async function startMirror(): Promise<Mirror> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const answers = new Map<string, Buffer>();
  const hashes = new Map<string, string>();
  const asked: string[] = [];
  const server = createServer((request, reply) => {
    const path = decodeURIComponent(request.url ?? "");
    asked.push(path);
    const answer = answers.get(path);
    reply.writeHead(answer === undefined ? 404 : 200).end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`; // of a TCP server
  const serve: Mirror["serve"] = (packages, claims = "honest") => {
    answers.clear();
    for (const { manifest, files } of packages) {
      const { name, version } = manifest;
      const bytes = tarball(manifest, files);
      const before = hashes.get(name);
      const integrity =
        claims === "honest" || before === undefined
          ? `sha512-${createHash("sha512").update(bytes).digest("base64")}`
          : before;
      hashes.set(name, integrity);
      const path = `/${name}/-/${version}.tgz`;
      const sig = sign("sha256", Buffer.from(`${name}@${version}:${integrity}`), privateKey);
      const dist = {
        ...{ tarball: `${url.slice(0, -1)}${path}`, integrity },
        signatures: [{ keyid: "SHA256:the-mirrors-own", sig: sig.toString("base64") }],
      };
      answers.set(path, bytes);
      const packument = {
        ...{ name, "dist-tags": { latest: version }, time: { [version]: "2026-01-01T00:00:00.000Z" } },
        versions: { [version]: { ...manifest, dist } },
      };
      answers.set(`/${name}`, Buffer.from(JSON.stringify(packument)));
    }
  };
  return {
    ...{ url, asked, serve },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function tarball(manifest: object, files: Served["files"]): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "sp-tgz-"));
  try {
    const all = { ...files, "package.json": JSON.stringify(manifest) };
    for (const [path, text] of Object.entries(all)) {
      const file = join(folder, "package", path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
      if (text.startsWith("#!")) chmodSync(file, 0o755);
    }
    execFileSync("tar", ["-czf", join(folder, "p.tgz"), "-C", folder, "package"]);
    return readFileSync(join(folder, "p.tgz"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
