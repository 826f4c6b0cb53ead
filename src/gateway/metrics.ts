/**
 * The gateway's own measure, in Prometheus' text format (0.0.4). Counts are taken where every event passes anyway, round
 * the ledger's append; so they hold no host, path or name, and the pipeline knows nothing of them.
 */
import type { EventBody } from "../core/index.ts";
import type { Ledger } from "../ledger/index.ts";

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5] as const;

export interface Gauges {
  readonly sessions: number;
  readonly connections: number;
  readonly exchangesUnderWay: number;
  readonly heldBytes: number;
  readonly capturedBytes: number;
  readonly deadlines: number;
}

/** Owns the counts of one gateway. */
export class Meter {
  readonly #counts = new Map<string, number>();
  readonly #buckets: number[] = SECONDS.map(() => 0);
  #waits = 0;
  #waited = 0;
  #lastAppendFailed = false;

  /** The same append, counted. */
  round(append: Ledger["append"], monotonic: () => number): Ledger["append"] {
    return async (body, evidence) => {
      const start = monotonic();
      try {
        const done = await append(body, evidence);
        this.#lastAppendFailed = false;
        this.#count(body);
        return done;
      } catch (error) {
        this.#lastAppendFailed = true;
        this.#add("sallyport_record_failures_total", 1);
        throw error;
      } finally {
        // An outcome waits for company in the ledger, and holds nobody up.
        if (body.kind !== "exchange.answered" && body.kind !== "exchange.failed")
          this.#wait((monotonic() - start) / 1000);
      }
    };
  }

  #count(body: EventBody): void {
    if (body.kind === "exchange.judged") {
      this.#add(
        `sallyport_exchanges_total{verdict="${body.verdict}",protocol="${body.protocol}",door="${body.door}"}`,
        1,
      );
      this.#add("sallyport_request_bytes_total", body.requestBytes);
      if (!body.understood) this.#add("sallyport_exchanges_not_understood_total", 1);
    } else if (body.kind === "exchange.answered") {
      this.#add(
        `sallyport_replies_total{class="${Math.trunc(body.status / 100)}xx",complete="${body.complete}"}`,
        1,
      );
      this.#add("sallyport_reply_bytes_total", body.responseBytes);
    } else if (body.kind === "exchange.failed")
      this.#add(`sallyport_failures_total{fault="${body.fault}"}`, 1);
    else if (body.kind === "connection.refused") this.#add("sallyport_connections_refused_total", 1);
  }

  #add(name: string, count: number): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }

  #wait(seconds: number): void {
    this.#waits++;
    this.#waited += seconds;
    const at = SECONDS.findIndex((limit) => seconds <= limit);
    if (at >= 0) this.#buckets[at] = (this.#buckets[at] ?? 0) + 1;
  }

  /** Whether the last record could be made: a gateway that cannot record refuses, and is not ready. */
  get isReady(): boolean {
    return !this.#lastAppendFailed;
  }

  text(gauges: Gauges): string {
    const lines: string[] = [];
    const family = (name: string, type: string, rows: readonly string[]): void =>
      void lines.push(`# TYPE ${name} ${type}`, ...rows);
    const names = new Set([...this.#counts.keys()].map((key) => key.split("{")[0] ?? key));
    for (const name of [...names].sort())
      family(
        name,
        "counter",
        [...this.#counts]
          .filter(([key]) => key.split("{")[0] === name)
          .map(([key, value]) => `${key} ${value}`),
      );
    for (const [name, value] of Object.entries(gauges))
      family(`sallyport_${snake(name)}`, "gauge", [`sallyport_${snake(name)} ${value}`]);
    family("sallyport_resident_bytes", "gauge", [`sallyport_resident_bytes ${process.memoryUsage.rss()}`]);
    let sum = 0;
    const rows = SECONDS.map((limit, i) => {
      sum += this.#buckets[i] ?? 0;
      return `sallyport_record_seconds_bucket{le="${limit}"} ${sum}`;
    });
    family("sallyport_record_seconds", "histogram", [
      ...rows,
      `sallyport_record_seconds_bucket{le="+Inf"} ${this.#waits}`,
      `sallyport_record_seconds_sum ${this.#waited}`,
      `sallyport_record_seconds_count ${this.#waits}`,
    ]);
    return `${lines.join("\n")}\n`;
  }
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

export interface Observable {
  metrics(): string;
  readonly isReady: boolean;
}

/**
 * `/metrics`, `/healthz` (alive) and `/readyz` (can record) on a port of its own, loopback unless told otherwise; never on
 * an agent's door. Resolves when it listens.
 */
export function serveMetrics(
  gateway: Observable,
  o: { readonly port: number; readonly host?: string },
): Promise<{ readonly port: number; close(): Promise<void> }> {
  // Loaded when it is used: as an import, node:http brings Node's whole fetch with it.
  const { createServer } = process.getBuiltinModule("node:http");
  const server = createServer((request, response) => {
    const give = (status: number, body: string): void =>
      void response
        .writeHead(status, { "content-type": "text/plain; version=0.0.4; charset=utf-8" })
        .end(body);
    if (request.method !== "GET") give(405, "only GET\n");
    else if (request.url === "/metrics") give(200, gateway.metrics());
    else if (request.url === "/healthz") give(200, "ok\n");
    else if (request.url === "/readyz")
      give(
        gateway.isReady ? 200 : 503,
        gateway.isReady ? "ready\n" : "not ready: the ledger takes no records, or the gateway is closing\n",
      );
    else give(404, "no such page\n");
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(o.port, o.host ?? "127.0.0.1", () => {
      const address = server.address();
      resolve({
        port: typeof address === "object" && address !== null ? address.port : o.port,
        close: () =>
          new Promise<void>((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}
