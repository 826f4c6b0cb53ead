// Documents that requests carry are read: what is in them counts, and what could not be read is counted too.
import { deflateRawSync, deflateSync } from "node:zlib";
import { afterAll, afterEach, describe, expect, it, test } from "vitest";
import { type DocumentReader, Documents, documentIn } from "./documents.ts";
import { policyOf, type Rig, SECRET_RULE, startDestination, startRig, Wire } from "./rig.testkit.ts";

/** Shaped like a key; it opens nothing. */
const KEY = `ghp_${"aB3dE5gH".repeat(5)}`;

/** A PDF with one page of text, its content stream compressed as printers do. */
function pdfOf(text: string): Buffer {
  const content = deflateSync(`BT /F1 12 Tf 72 700 Td (${text}) Tj ET`);
  const objects = [
    "<</Type/Catalog/Pages 2 0 R>>",
    "<</Type/Pages/Kids[3 0 R]/Count 1>>",
    "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
    `<</Length ${content.length}/Filter/FlateDecode>>\nstream\n${content.toString("latin1")}\nendstream`,
    "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
  ];
  let pdf = "%PDF-1.4\n";
  const places = objects.map((object, i) => {
    const at = pdf.length;
    pdf += `${i + 1} 0 obj\n${object}\nendobj\n`;
    return at;
  });
  const table = places.map((at) => `${String(at).padStart(10, "0")} 00000 n \n`).join("");
  pdf += `xref\n0 6\n0000000000 65535 f \n${table}trailer\n<</Size 6/Root 1 0 R>>\nstartxref\n${pdf.length}\n%%EOF\n`;
  return Buffer.from(pdf, "latin1");
}

/** A zip as office programs write it. */
function zipOf(files: Readonly<Record<string, string | Buffer>>): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  let at = 0;
  for (const [name, content] of Object.entries(files)) {
    const data = Buffer.isBuffer(content) ? content : deflateRawSync(content);
    const head = Buffer.alloc(30);
    head.writeUInt32LE(0x04034b50, 0);
    head.writeUInt16LE(8, 8);
    head.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(8, 10);
    entry.writeUInt32LE(data.length, 20);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    local.push(head, Buffer.from(name), data);
    central.push(entry, Buffer.from(name));
    at += 30 + name.length + data.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...local, ...central, end]);
}

describe("a thread that reads documents", () => {
  const documents = new Documents(10_000);
  afterAll(() => documents.close());

  it("reads a PDF's pages, and an office file's text though its words are cut into runs", async () => {
    expect(await documents.read("pdf", pdfOf(`token ${KEY} here`))).toContain(KEY);
    const runs = `<w:document><w:p><w:r><w:t>token ${KEY.slice(0, 9)}</w:t></w:r><w:r><w:t>${KEY.slice(9)}</w:t></w:r></w:p></w:document>`;
    expect(await documents.read("office", zipOf({ "word/document.xml": runs, "a.png": "x" }))).toContain(KEY);
  });

  test.each<[string, "pdf" | "office" | "image", Buffer]>([
    ["a broken PDF", "pdf", Buffer.from("%PDF-1.4\nnothing of the kind")],
    ["a zip without text", "office", zipOf({ "a.png": "x" })],
    ["a zip whose lengths are wrong", "office", Buffer.concat([zipOf({ "a.xml": "x" }).subarray(9)])],
    ["a bomb", "office", zipOf({ "a.xml": deflateRawSync(Buffer.alloc(40 << 20, 97)) })],
    ["an image", "image", Buffer.alloc(100)],
  ])("%s is not read, and the next document is", async (_, kind, bytes) => {
    expect(await documents.read(kind, bytes)).toBeNull();
    expect(await documents.read("office", zipOf({ "a.xml": "<a>well</a>" }))).toContain("well");
  });

  it("one that takes too long is given up, and the next one is read", async () => {
    const hasty = new Documents(1);
    expect(await hasty.read("pdf", pdfOf("x".repeat(100_000)))).toBeNull();
    await hasty.close();
    const [first, second] = [documents.read("pdf", pdfOf("one")), documents.read("pdf", pdfOf("two"))];
    expect([await first, await second].map((text) => text?.trim().slice(0, 3))).toEqual(["one", "two"]);
  });

  test("closing answers those who wait", async () => {
    const closed = new Documents(10_000);
    const answers = [closed.read("pdf", pdfOf("one")), closed.read("pdf", pdfOf("two"))];
    await closed.close();
    expect(await Promise.all(answers)).toEqual([null, null]);
  });
});

test.each<[string, string | null, string]>([
  ["a PDF in base64", "pdf", pdfOf("x").toString("base64")],
  ["a PDF as a data URL", "pdf", `data:application/pdf;base64,${pdfOf("x").toString("base64")}`],
  ["an office file", "office", zipOf({ "a.xml": "<a>some words of it</a>" }).toString("base64")],
  [
    "a PNG",
    "image",
    Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.alloc(90)]).toString("base64"),
  ],
  ["a sound", "media", `data:audio/mp3;base64,${"A".repeat(100)}`],
  ["text that begins like one", null, `Qk0 is how a bitmap begins. ${"words ".repeat(20)}`],
  ["text", null, "just words ".repeat(20)],
])("%s is known by its beginning", (_, kind, text) => {
  expect(documentIn(text)?.kind ?? null).toBe(kind);
});

describe("a request with a document", () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  async function place(
    rules: string,
    documents?: DocumentReader,
  ): Promise<{ readonly rig: Rig; readonly post: (...blocks: readonly object[]) => Promise<string> }> {
    const server = await startDestination((socket, _chunk, sofar) => {
      const end = sofar.indexOf("\r\n\r\n") + 4;
      const length = Number(/content-length: (\d+)/i.exec(sofar.toString("latin1"))?.[1] ?? 0);
      if (end > 3 && sofar.length === end + length)
        socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    });
    closing.push(() => server.close());
    const policy = policyOf({ ports: [server.port], rules });
    const rig = await startRig({ policy, ...(documents === undefined ? {} : { documents }) });
    closing.push(() => rig.close());
    const post = async (...blocks: readonly object[]): Promise<string> => {
      const wire = await Wire.tunnel(rig.socketPath, `api.anthropic.com:${server.port}`);
      const messages = blocks.map((block) => ({ role: "user", content: [block] }));
      const body = JSON.stringify({ model: "m", max_tokens: 5, messages });
      wire.write(
        `POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com:${server.port}\r\ncontent-type: application/json\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
      return (await wire.all()).slice(9, 12);
    };
    return { rig, post };
  }
  const block = (type: string, media: string, data: Buffer): object => ({
    type,
    source: { type: "base64", media_type: media, data: data.toString("base64") },
  });
  const pdf = block("document", "application/pdf", pdfOf(`the key is ${KEY}`));
  const text = { type: "text", text: "and more" };

  it("that holds a secret is refused, in every turn; one without passes", async () => {
    const { rig, post } = await place(SECRET_RULE);
    expect(await post(block("document", "application/pdf", pdfOf("nothing to see")))).toBe("200");
    expect(await post(pdf)).toBe("403");
    expect(await post(pdf, text)).toBe("403");
    expect(await post(text)).toBe("200");
    expect(rig.of("exchange.judged")[1]?.findings).toEqual([
      { class: "secret", detector: "github-token", count: 1 },
    ]);
  });

  it("whose secrets policy wants masked is refused: nothing in it can be replaced", async () => {
    const { rig, post } = await place(SECRET_RULE.replace("then: deny", "then: redact"));
    expect(await post(pdf)).toBe("403");
    expect(rig.of("exchange.judged")[0]?.rules).toContain("gateway.unredacted");
  });

  it("that cannot be read is counted, and refused where policy says so; so is an image", async () => {
    const png = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.alloc(90)]);
    const image = block("image", "image/png", png);
    const { rig, post } = await place("");
    expect(await post(image)).toBe("200");
    expect(await post(image, text)).toBe("200");
    expect(rig.of("exchange.judged").map(({ findings }) => findings)).toEqual([
      [{ class: "unread", detector: "unread:image", count: 1 }],
      [],
    ]);
    const strict = await place(SECRET_RULE.replace("[secret]", "[unread]"), {
      read: async () => null,
      close: async () => {},
    });
    expect(await strict.post(pdf)).toBe("403");
    expect(await strict.post(text)).toBe("200");
  });
});
