/**
 * docs/events.md out of src/core/event.ts: every kind and field with its type and its docstring. It reads the source as the
 * formatter leaves it, a declaration or field a line, and throws at what it does not understand rather than leave it out.
 *
 * A field without a docstring of its own has the meaning that its name has where it is told first (one word per thing); a
 * name that is told nowhere is listed by `untold`.
 */

interface Field {
  readonly name: string;
  readonly type: string;
  readonly isOptional: boolean;
  readonly told: string;
}

interface Shape {
  /** The kind of an event, or the name of a type. */
  name: string;
  told: string;
  readonly fields: Field[];
}

export interface EventSource {
  readonly kinds: readonly Shape[];
  readonly shapes: readonly Shape[];
  readonly aliases: readonly { readonly name: string; readonly type: string; readonly told: string }[];
}

export function readEventSource(source: string): EventSource {
  const reader = new Reader(source.split("\n"));
  while (reader.next());
  return reader;
}

class Reader implements EventSource {
  readonly kinds: Shape[] = [];
  readonly shapes: Shape[] = [];
  readonly aliases: { name: string; type: string; told: string }[] = [];
  readonly #lines: readonly string[];
  #at = 0;
  #told = "";

  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }

  next(): boolean {
    const line = this.#lines[this.#at];
    if (line === undefined) return false;
    this.#at++;
    const trimmed = line.trim();
    if (trimmed.startsWith("/**")) this.#told = this.#comment(trimmed);
    else if (trimmed === "" || trimmed.startsWith("import "))
      this.#told = ""; // what stood before was about the file
    else if (/^export interface \w+ \{$/.test(trimmed)) this.#shape(trimmed.split(" ")[2] ?? "");
    else if (trimmed === "export type EventBody =") this.#events();
    else if (trimmed.startsWith("export type ")) this.#alias(trimmed);
    else throw new Error(`src/core/event.ts:${this.#at}: not understood: ${trimmed}`);
    return true;
  }

  #comment(first: string): string {
    let text = first;
    while (!text.includes("*/"))
      text += ` ${(this.#lines[this.#at++] ?? "*/").trim().replace(/^\*(?!\/) ?/, "")}`;
    return text.replace("/**", "").replace("*/", "").replace(/\s+/g, " ").trim();
  }

  #take(): string {
    const told = this.#told;
    this.#told = "";
    return told;
  }

  #shape(name: string): void {
    const shape: Shape = { name, told: this.#take(), fields: [] };
    this.#fields(shape, "", "}");
    this.shapes.push(shape);
  }

  #events(): void {
    this.#told = "";
    for (;;) {
      const line = (this.#lines[this.#at++] ?? "").trim();
      if (line !== "| {") throw new Error(`src/core/event.ts:${this.#at}: a kind should begin here`);
      const kind: Shape = { name: "", told: "", fields: [] };
      const isLast = this.#fields(kind, "", "}", "};");
      this.kinds.push(kind);
      if (isLast) return;
    }
  }

  /** Up to the line that is one of `ends`; whether that was the last of them. */
  #fields(shape: Shape, prefix: string, ...ends: readonly string[]): boolean {
    for (;;) {
      const line = (this.#lines[this.#at++] ?? "").trim();
      if (ends.includes(line)) return line === ends.at(-1);
      if (line.startsWith("/**")) {
        this.#told = this.#comment(line);
        continue;
      }
      const field = /^readonly (\w+)(\?)?: (.*)$/.exec(line);
      if (field === null)
        throw new Error(`src/core/event.ts:${this.#at}: a field should stand here: ${line}`);
      const [, name = "", mark, begin = ""] = field;
      const told = this.#take();
      if (prefix === "" && name === "kind" && shape.name === "") {
        shape.name = begin.replace(/^"(.*)";$/, "$1");
        shape.told = told;
        continue;
      }
      const nested = begin === "{" || begin === "readonly {";
      const type = nested ? "object" : this.#type(begin);
      shape.fields.push({ name: prefix + name, type, isOptional: mark !== undefined, told });
      if (nested) this.#fields(shape, `${prefix}${name}.`, "};", "}[];");
    }
  }

  /** A type may go on over several lines; it ends with a semicolon outside of braces. */
  #type(begin: string): string {
    let type = begin;
    const isWhole = (): boolean => type.endsWith(";") && type.split("{").length === type.split("}").length;
    while (!isWhole()) type += ` ${(this.#lines[this.#at++] ?? "};").trim()}`;
    return type.slice(0, -1);
  }

  #alias(line: string): void {
    const name = line.split(" ")[2] ?? "";
    const told = this.#take();
    const type = this.#type(line.slice(line.indexOf("=") + 1).trim());
    if (name !== "EventKind" && name !== "LedgerEvent")
      this.aliases.push({ name, type: type.replace(/^\| /, ""), told });
  }
}

/** What each field's name means where it is told first. */
function glossary({ kinds, shapes }: EventSource): Map<string, string> {
  const words = new Map<string, string>();
  for (const { fields } of [...kinds, ...shapes])
    for (const { name, told } of fields) if (told !== "" && !words.has(name)) words.set(name, told);
  return words;
}

/** `kind field` of what has no docstring and no meaning elsewhere, and kinds without one. */
export function untold(source: EventSource): string[] {
  const words = glossary(source);
  return [...source.kinds, ...source.shapes].flatMap(({ name, told, fields }) => [
    ...(told === "" ? [name] : []),
    ...fields.filter((f) => f.told === "" && !words.has(f.name)).map((f) => `${name} ${f.name}`),
  ]);
}

export function eventsPage(source: EventSource): string {
  const words = glossary(source);
  const cell = (text: string): string => text.replaceAll("|", "\\|");
  const table = (fields: readonly Field[]): string[] => [
    "| field | type | meaning |",
    "|---|---|---|",
    ...fields.map(({ name, type, isOptional, told }) => {
      const meaning = told === "" ? (words.get(name) ?? "") : told;
      return `| \`${name}\`${isOptional ? " (may be absent)" : ""} | \`${cell(type)}\` | ${cell(meaning)} |`;
    }),
  ];
  const section = ({ name, told, fields }: Shape): string[] => [
    "",
    `## ${name}`,
    "",
    told,
    "",
    ...table(fields),
  ];
  return [
    "# Events",
    "",
    "Every kind of entry that the ledger holds. This page is generated from `src/core/event.ts` (`UPDATE=1 npm run test:unit`).",
    "",
    "Each event is the RFC 8785 bytes of a JSON object with `v` (1), `at` (Unix milliseconds by the writer's clock), `kind` and",
    "the fields below. Fields are added, never renamed or given another meaning; readers ignore what they do not know.",
    ...source.kinds.flatMap(section),
    "",
    "# Types",
    "",
    "| type | is | meaning |",
    "|---|---|---|",
    ...source.aliases.map(({ name, type, told }) => `| \`${name}\` | \`${cell(type)}\` | ${cell(told)} |`),
    ...source.shapes.flatMap(section),
    "",
  ].join("\n");
}
