/**
 * YAML with positions: from text to plain data, and from a path in that data back to `file:line:column path`.
 *
 * YAML 1.2 core schema, one document, no anchors, aliases, tags or merge keys (a document that a reviewer reads must
 * say what it says where it says it), no duplicate keys. Anything else throws `policy.invalid`.
 */
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from "yaml";
import { Fault } from "../core/index.ts";

/** A 10,000-rule document is some 4 MB. */
const MAX_TEXT = 8 * 1024 * 1024;
const MAX_DEPTH = 12;

export type DataPath = readonly PropertyKey[];

export interface Source {
  readonly data: unknown;
  /** The fault for what is wrong at a path: where its value begins, or its key, or else what should hold it. */
  refuse(path: DataPath, detail: string, remedy: string, at?: "value" | "key"): Fault;
}

export function readSource(text: string, file: string): Source {
  if (text.length > MAX_TEXT)
    throw new Fault("policy.invalid", {
      at: file,
      detail: `${text.length} characters, more than ${MAX_TEXT}`,
      remedy: "split the document: guardrails and profiles are layered",
    });
  const lines = new LineCounter();
  // The library compares each key with all before it, so that a hostile repository's wide mapping would take minutes: we
  // look for duplicates ourselves. Its pretty errors copy the line for each error, with the same effect on a long line.
  const document = parseDocument(text, {
    lineCounter: lines,
    schema: "core",
    uniqueKeys: false,
    prettyErrors: false,
  });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined)
    throw new Fault("policy.invalid", {
      at: place(problem.pos[0]),
      ...sayYaml(problem.code, problem.message),
    });
  const refuseNode = (node: Node, detail: string, remedy: string): Fault =>
    new Fault("policy.invalid", { at: place(node.range?.[0] ?? 0), detail, remedy });
  visit(document, {
    Map: (_, map) => {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        const name = isScalar(key) ? key.value : key;
        if (seen.has(name) && isNode(key))
          throw refuseNode(key, "a key stands twice in one mapping", "keep one of the two");
        seen.add(name);
      }
    },
    Alias: (_, node) => {
      throw refuseNode(node, "an alias", "write the value where it is meant");
    },
    Node: (_, node, parents) => {
      if (!isAlias(node) && node.anchor !== undefined)
        throw refuseNode(node, "an anchor", "write the value where it is meant");
      if (node.tag !== undefined) throw refuseNode(node, `the tag \`${node.tag}\``, "remove the tag");
      if (parents.length > MAX_DEPTH * 2) throw refuseNode(node, "nested too deep", "see the schema");
    },
    Pair: (_, pair) => {
      if (isNode(pair.key) && !(isScalar(pair.key) && typeof pair.key.value === "string"))
        throw refuseNode(
          pair.key,
          "a key that is not a word",
          "write the key as a word, in quotes if need be",
        );
    },
  });
  const offsetOf = (path: DataPath, at: "value" | "key"): number => {
    for (let end = path.length; end >= 0; end--) {
      const offset = nodeOffset(document.contents, path.slice(0, end), at);
      if (offset !== null) return offset;
    }
    return 0;
  };
  return {
    data: document.toJS({ maxAliasCount: 0 }),
    refuse: (path, detail, remedy, at = "value") =>
      new Fault("policy.invalid", {
        at: `${place(offsetOf(path, at))}${path.length === 0 ? "" : ` ${pathText(path)}`}`,
        detail,
        remedy,
      }),
  };
}

/** `network.allow[1].hosts[0]` */
export const pathText = (path: DataPath): string =>
  path.reduce<string>(
    (text, step) =>
      typeof step === "number"
        ? `${text}[${step}]`
        : `${text}${text === "" ? "" : "."}${printable(String(step))}`,
    "",
  );

const MAX_SHOWN = 60;

/** What somebody wrote, as it may stand in a message on a terminal: short, on one line, without control characters. */
export function printable(written: string): string {
  const plain = written.replace(/[\p{C}\u2028\u2029]/gu, " ");
  return plain.length > MAX_SHOWN ? `${plain.slice(0, MAX_SHOWN)}…` : plain;
}

/** Where a path's value begins, or its key; null when the path leads nowhere. */
function nodeOffset(root: unknown, path: DataPath, at: "value" | "key"): number | null {
  let node = root;
  let key: unknown = null;
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && item.key.value === step);
      if (pair === undefined) return null;
      key = pair.key;
      node = pair.value;
    } else if (isSeq(node) && typeof step === "number" && step in node.items) {
      key = null;
      node = node.items[step];
    } else return null;
  }
  const found = at === "key" && isNode(key) ? key : isNode(node) ? node : key;
  return isNode(found) ? (found.range?.[0] ?? null) : null;
}

function sayYaml(code: string, message: string): { readonly detail: string; readonly remedy: string } {
  if (code === "MULTIPLE_DOCS")
    return { detail: "more than one YAML document", remedy: "put each document in its own file" };
  if (/call stack/.test(message)) return { detail: "nested too deep", remedy: "see the schema" };
  return {
    detail: `not YAML: ${printable(message.charAt(0).toLowerCase() + message.slice(1))}`,
    remedy: "correct the YAML at this place",
  };
}
