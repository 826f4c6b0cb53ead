/** At run time: what a build sends is compared with the words it had when it was vetted. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "../core/index.ts";
import { type Inspector, openTemplate, type TemplateInspector, withTemplate } from "../inspect/index.ts";
import { SYSTEM_REGISTER } from "./destinations.ts";
import type { Places } from "./places.ts";
import type { Prepared } from "./prepare.ts";

/** Files that agents quote in their prompts. */
const QUOTED = [
  "CLAUDE.md",
  "AGENTS.md",
  "GEMINI.md",
  "QWEN.md",
  "CONTEXT.md",
  "README.md",
  ".claude/CLAUDE.md",
  ".github/copilot-instructions.md",
];

/** A build's hash as a file's name. */
export const templateName = (build: string): string =>
  `${build.replace(":", "-").replaceAll("/", "_").replaceAll("+", "-").replace("=", "")}.json`;

/** The template's file for a build, the administrator's first; null when the build was never looked at. */
function templateFile(build: string, places: Pick<Places, "config">): string | null {
  return (
    [SYSTEM_REGISTER, join(places.config, "register")]
      .map((folder) => join(folder, "templates", templateName(build)))
      .find((file) => existsSync(file)) ?? null
  );
}

/** The session's inspector with the build's template; null where there is none. Throws `inspect.template`. */
export async function watchTemplate(
  build: string,
  inspector: Inspector,
  { workspace }: Pick<Prepared, "workspace">,
  key: Uint8Array,
  places: Places,
): Promise<TemplateInspector | null> {
  const file = templateFile(build, places);
  if (file === null) return null;
  const template = openTemplate(await readFile(file, "utf8"), file);
  if (template.build !== build)
    throw new Fault("inspect.template", { at: file, detail: "it is another build's" });
  const quoted = QUOTED.map((name) => join(workspace, name)).filter((path) => existsSync(path));
  const texts = await Promise.all(quoted.map((path) => readFile(path, "utf8").catch(() => ""))); // a folder quotes nothing
  return withTemplate(inspector, template, key, texts);
}
