/**
 * The thread that reads documents (documents.ts). PDF by `unpdf` (pdf.js, ADR 7): the text of all pages and the fields of
 * the document's own description. Office files: every XML part of the zip (PKWARE APPNOTE 6.3.10), tags left out.
 */
import { parentPort } from "node:worker_threads";
import { inflateRawSync } from "node:zlib";
import type { DocumentKind } from "./documents.ts";

/** More text than this is not read: a document of that size is a bomb, or a book. */
const MAX_TEXT = 16 * 1024 * 1024;
const MAX_ENTRIES = 10_000;

parentPort?.on("message", ({ kind, bytes }: { kind: DocumentKind; bytes: Uint8Array }) => {
  void textOf(kind, bytes)
    .catch(() => null) // broken, encrypted or too much: it was not read
    .then((text) => parentPort?.postMessage(text));
});

async function textOf(kind: DocumentKind, bytes: Uint8Array): Promise<string | null> {
  return kind === "pdf" ? pdfText(bytes) : officeText(Buffer.from(bytes));
}

async function pdfText(bytes: Uint8Array): Promise<string> {
  const { extractText, getDocumentProxy, getMeta } = await import("unpdf");
  const document = await getDocumentProxy(new Uint8Array(bytes));
  const { text } = await extractText(document, { mergePages: false });
  const { info } = await getMeta(document);
  const fields = Object.values(info).filter((value) => typeof value === "string");
  return bounded([...text, ...fields].join("\n"));
}

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;

/** Null: no zip with XML in it. */
function officeText(zip: Buffer): string | null {
  const end = zip.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  if (end < 0 || zip.readUInt32LE(end) !== END_OF_DIRECTORY) return null;
  const count = zip.readUInt16LE(end + 10);
  let at = zip.readUInt32LE(end + 16);
  let text = "";
  let found = 0;
  for (let i = 0; i < count && i < MAX_ENTRIES && zip.readUInt32LE(at) === DIRECTORY_ENTRY; i++) {
    const [size, nameLength, extraLength, noteLength] = [
      zip.readUInt32LE(at + 20),
      zip.readUInt16LE(at + 28),
      zip.readUInt16LE(at + 30),
      zip.readUInt16LE(at + 32),
    ];
    const name = zip.toString("utf8", at + 46, at + 46 + nameLength);
    if (/\.(?:xml|rels|txt|html?|csv|json)$/i.test(name)) {
      const local = zip.readUInt32LE(at + 42);
      const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const stored = zip.subarray(start, start + size);
      const isDeflated = zip.readUInt16LE(at + 10) === 8;
      const content = isDeflated
        ? inflateRawSync(stored, { maxOutputLength: MAX_TEXT - text.length })
        : stored;
      text = bounded(`${text}\n${plain(content.toString("utf8"))}`);
      found++;
    }
    at += 46 + nameLength + extraLength + noteLength;
  }
  return found === 0 ? null : text;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

/** What a reader of the document would see: word processors cut words into runs, so that tags within one mean nothing. */
const plain = (xml: string): string =>
  xml
    .replace(/<\/(?:w:p|a:p|text:p|row|si|p|div|tr|li)>|<(?:w:br|w:tab|br)\b[^>]{0,200}>/g, "\n")
    .replace(/<[^>]{0,10000}>/g, "")
    .replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => ENTITIES[name] ?? "");

function bounded(text: string): string {
  if (text.length > MAX_TEXT) throw new Error("too much text");
  return text;
}
