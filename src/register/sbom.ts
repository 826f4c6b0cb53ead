/** A build's parts as CycloneDX 1.6 JSON (cyclonedx.org): the package and what it depends on. Pure; the same build, the same bytes. */
import { createHash } from "node:crypto";
import type { Manifest } from "./build.ts";

/** `root` first. `hash`: the whole build's, as build.ts makes it. */
export function cycloneDx(packages: readonly Manifest[], hash: string): object {
  const [root, ...parts] = packages.map(component);
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(hash)}`,
    version: 1,
    metadata: {
      component: { ...root, type: "application" },
      properties: [{ name: "sallyport:build", value: hash }],
    },
    components: parts,
    dependencies: packages.map((one) => ({
      ref: purl(one),
      dependsOn: packages.filter(({ name }) => one.dependencies.includes(name)).map(purl),
    })),
  };
}

const component = (one: Manifest): Record<string, unknown> => ({
  type: "library",
  "bom-ref": purl(one),
  ...(one.name.startsWith("@")
    ? { group: one.name.slice(0, one.name.indexOf("/")), name: one.name.slice(one.name.indexOf("/") + 1) }
    : { name: one.name }),
  version: one.version,
  purl: purl(one),
  ...(one.licence === null ? {} : { licenses: [{ license: { name: one.licence } }] }),
});

/** Package URL (github.com/package-url): the scope's @ is escaped. */
const purl = ({ name, version }: Manifest): string => `pkg:npm/${name.replace("@", "%40")}@${version}`;

/** A name-based UUID (RFC 9562 version 8) from the build's hash. */
function uuidOf(hash: string): string {
  const hex = createHash("sha256").update(hash).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
