// The reader of HTTP/1 held against Node's own (llhttp): what it accepts, both read alike.
import { createServer, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BodyReader } from "./body.ts";
import { headEnd, parseRequestHead } from "./head.ts";

interface Read {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
  readonly body: string;
  readonly rest: number;
}

function ours(bytes: Buffer): Read | null {
  try {
    const end = headEnd(bytes, 64 * 1024, "gateway.malformed");
    if (end < 0) return null;
    const head = parseRequestHead(bytes.subarray(0, end));
    let body = "";
    const reader = new BodyReader(
      head.framing,
      (slice) => {
        body += slice.toString("latin1");
      },
      "gateway.malformed",
      64 * 1024,
    );
    const used = reader.feed(bytes, end);
    if (!reader.isDone) return null;
    return {
      method: head.method,
      target: head.target,
      headers: head.headers.flat(),
      body,
      rest: bytes.length - used,
    };
  } catch {
    return null;
  }
}

/** What llhttp makes of the same bytes: the first request, or null. */
const served = new Map<string, (read: Omit<Read, "rest"> | null) => void>();
const server = createServer(
  { requireHostHeader: false, insecureHTTPParser: false, maxHeaderSize: 64 * 1024 },
  (request: IncomingMessage, response) => {
    let body = "";
    request.on("data", (piece: Buffer) => {
      body += piece.toString("latin1");
    });
    request.on("end", () => {
      served.get(String(request.socket.remotePort))?.({
        method: request.method ?? "",
        target: request.url ?? "",
        headers: request.rawHeaders,
        body,
      });
      response.end();
    });
  },
);
server.on("clientError", (_error, socket) => socket.destroy());
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())));

function theirs(bytes: Buffer): Promise<Omit<Read, "rest"> | null> {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      const key = String(socket.localPort);
      served.set(key, (read) => {
        served.delete(key);
        socket.destroy();
        resolve(read);
      });
      socket.end(bytes);
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(null));
  });
}

const token = fc.constantFrom("X-A", "accept", "Content-Type", "x_y", "TE");
const value = fc.oneof(
  fc.constantFrom("", "a", "a b", " padded ", "a\tb", "\u00e9", "5", "chunked"),
  fc.string({ unit: "binary-ascii", maxLength: 6 }),
);
const field = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(token, value).map(([name, text]) => `${name}: ${text}\r\n`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "Content-Length: 3\r\n",
      "Content-Length: 0\r\n",
      "Transfer-Encoding: chunked\r\n",
      "content-length:3\r\n",
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "X : y\r\n",
      "X: y\n",
      " X: y\r\n",
      "X: a\r\n b\r\n",
      ": y\r\n",
      "X\r\n",
      "Content-Length: +3\r\n",
      "Content-Length: 3, 3\r\n",
      "Transfer-Encoding: x, chunked\r\n",
      "Transfer-Encoding:\tchunked \r\n",
      "X: a\rb\r\n",
    ),
  },
);
const body = fc.constantFrom(
  "",
  "abc",
  "3\r\nabc\r\n0\r\n\r\n",
  "3;e=f\r\nabc\r\n0\r\nT: u\r\n\r\n",
  "0\r\n\r\n",
  "03\r\nabc\r\n000\r\n\r\n",
  "3 \r\nabc\r\n0\r\n\r\n",
  "3\nabc\r\n0\r\n\r\n",
  "-1\r\n",
  "3\r\nabcd\r\n0\r\n\r\n",
);
const start = fc.constantFrom(
  "GET / HTTP/1.1",
  "POST /x?y HTTP/1.1",
  "POST /x HTTP/1.0",
  "PUT * HTTP/1.1",
  "get / HTTP/1.1",
  "GET  / HTTP/1.1",
  "GET / HTTP/1.2",
  "GET /a b HTTP/1.1",
  "POST http://h/x HTTP/1.1",
);

describe("the reader of heads and bodies", () => {
  it("what it accepts, llhttp reads as the same request", async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(start, fc.array(field, { maxLength: 5 }), body, async (line, fields, text) => {
        const bytes = Buffer.from(`${line}\r\n${fields.join("")}\r\n${text}`, "latin1");
        const mine = ours(bytes);
        if (mine === null) return;
        // What llhttp knows no method or target for, it refuses; that is its own list, not framing.
        const other = await theirs(bytes.subarray(0, bytes.length - mine.rest));
        if (other === null) return;
        accepted++;
        expect({ ...mine, rest: 0 }).toEqual({ ...other, rest: 0 });
      }),
      { numRuns: 1500 },
    );
    expect(accepted, "a check that checked nothing is a failure").toBeGreaterThan(100);
  });

  it("what both accept they accept as a whole: nothing of the body is left over to be read as a request", async () => {
    for (const bytes of [
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
    ]) {
      const mine = ours(Buffer.from(bytes));
      expect(mine).toMatchObject({ body: "abc", rest: 0 });
      expect(await theirs(Buffer.from(bytes))).toMatchObject({ body: "abc" });
    }
  });
});
