/**
 * Entries for other systems: NDJSON, OCSF, OTLP logs and spans, RFC 5424 syslog, Splunk HEC. Encoders are pure; delivery, and
 * remembering how far it came, are the caller's. Each batch says the index to go on from: persist it after the receiver
 * has taken the batch, and delivery is at least once over any crash; every entry carries `<origin>/<index>` as its unique
 * id, by which a receiver drops repetitions. Leaves hold no content, so neither do exports.
 *
 * ocsf    OCSF 1.6: exchanges as API Activity (6003, profile security_control), refused connections as Network Activity
 *         (4001), all others as Base Event (0); the native event lies whole in `unmapped`. One object a line.
 * otlp    OTLP/HTTP JSON of one ExportLogsServiceRequest for `/v1/logs`; the GenAI attributes are of the conventions' stage
 *         "Development" and may be renamed there.
 * otlp-spans  the same for `/v1/traces`: exchanges with models as GenAI spans (spans.ts). An exchange under way holds the cursor
 *         back, so more is sent twice than elsewhere, under the same span id.
 * syslog  RFC 5424 messages in octet-counting framing (RFC 5425 section 4.3), facility 13 (log audit), no structured data
 *         (that would need an enterprise number), the event as JSON.
 * hec     Splunk's HTTP Event Collector, `/services/collector/event`: objects one after the other.
 */

import type { LedgerEvent, Verdict } from "../core/index.ts";
import { publishedKeys } from "./published.ts";
import { type ReadEntry, readEntries } from "./read.ts";
import { nanoseconds, SpanFold, text, whole } from "./spans.ts";

export type ExportFormat = "ndjson" | "ocsf" | "otlp" | "otlp-spans" | "syslog" | "hec";

export interface ExportBatch {
  readonly body: string;
  readonly contentType: string;
  readonly entries: number;
  /** The cursor: the index to go on from. Never behind the first entry not in this batch. */
  readonly next: number;
  /** The index of the first entry that was not read for it; where `next` is held back, more than that. */
  readonly read: number;
}

export interface ExportOptions {
  readonly from?: number;
  readonly batch?: number;
  readonly unsigned?: boolean;
}

const MAX_BATCH_ENTRIES = 500;
const SYSLOG_FACILITY = 13;
const OCSF_VERSION = "1.6.0";

/**
 * Entries from index `from` on that a checkpoint covers (with `unsigned`: all durable ones), in batches, to the present
 * end. Signed entries alone can be proven, and no crash takes them back.
 */
export async function* exportEntries(
  directory: string,
  format: ExportFormat,
  options: ExportOptions = {},
): AsyncGenerator<ExportBatch, void, undefined> {
  yield* encodeEntries(directory, encoderFor(directory, format), options);
}

/** With an encoder that may remember what it met in earlier calls. */
export async function* encodeEntries(
  directory: string,
  encode: Encode,
  { from = 0, unsigned = false, batch = MAX_BATCH_ENTRIES }: ExportOptions,
): AsyncGenerator<ExportBatch, void, undefined> {
  const size = Math.min(batch, MAX_BATCH_ENTRIES);
  let pending: ReadEntry[] = [];
  for await (const entry of readEntries(directory, { from })) {
    if (!entry.signed && !unsigned) break;
    pending.push(entry);
    if (pending.length < size) continue;
    yield encode(pending);
    pending = [];
  }
  if (pending.length > 0) yield encode(pending);
}

export type Encode = (entries: readonly Entry[]) => ExportBatch;

export function encoderFor(directory: string, format: ExportFormat): Encode {
  const origin = publishedKeys(directory)[0]?.name ?? "";
  return format === "otlp-spans" ? spanEncoder(origin) : (entries) => encodeBatch(format, origin, entries);
}

/** The cursor stays at the oldest entry that a span still to come needs, so that whoever goes on from it finds it again. */
function spanEncoder(origin: string): Encode {
  const fold = new SpanFold(origin);
  return (entries) => {
    const spans = entries.flatMap(({ index, event }) => fold.add(index, event));
    const scope = { name: "sallyport.ledger" };
    const resource = { attributes: resourceAttributes(origin) };
    return {
      body:
        spans.length === 0
          ? ""
          : `${JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ scope, spans }] }] })}\n`,
      contentType: "application/json",
      entries: spans.length,
      next: fold.oldest ?? endOf(entries),
      read: endOf(entries),
    };
  };
}

type Entry = Pick<ReadEntry, "index" | "event">;

const endOf = (entries: readonly Entry[]): number => (entries.at(-1)?.index ?? -1) + 1;

export function encodeBatch(
  format: Exclude<ExportFormat, "otlp-spans">,
  origin: string,
  entries: readonly Entry[],
): ExportBatch {
  const next = endOf(entries);
  const lines = (encode: (entry: Entry) => unknown): string =>
    entries.map((entry) => `${JSON.stringify(encode(entry))}\n`).join("");
  const batch = (contentType: string, body: string): ExportBatch => ({
    body,
    contentType,
    entries: entries.length,
    next,
    read: next,
  });
  switch (format) {
    case "ndjson":
      return batch(
        "application/x-ndjson",
        lines(({ index, event }) => ({ id: `${origin}/${index}`, index, ...event })),
      );
    case "ocsf":
      return batch(
        "application/x-ndjson",
        lines((entry) => ocsf(origin, entry)),
      );
    case "otlp":
      return batch("application/json", JSON.stringify(otlp(origin, entries)));
    case "syslog":
      return batch(
        "text/plain; charset=utf-8",
        entries.map((entry) => framed(syslog(origin, entry))).join(""),
      );
    case "hec":
      return batch(
        "application/json",
        lines((entry) => hec(origin, entry)),
      );
    default:
      return format satisfies never;
  }
}

/** Kinds that somebody should look at. */
const WARNINGS: ReadonlySet<LedgerEvent["kind"]> = new Set([
  "connection.refused",
  "exchange.failed",
  "admission.refused",
  "policy.rejected",
  "recorder.lost",
]);

/** RFC 5424 severities: 4 warning, 5 notice, 6 informational. */
function severityOf(event: LedgerEvent): 4 | 5 | 6 {
  if (WARNINGS.has(event.kind)) return 4;
  if (event.kind === "waiver.granted") return event.breakGlass ? 4 : 5;
  if (event.kind !== "exchange.judged" || event.verdict === "allow") return 6;
  return event.verdict === "deny" ? 4 : 5;
}

function syslog(origin: string, { index, event }: Entry): string {
  const priority = SYSLOG_FACILITY * 8 + severityOf(event);
  const time = new Date(event.at).toISOString();
  // HOSTNAME 255, MSGID 32 characters of printable ASCII: origins and kinds are.
  const text = JSON.stringify({ id: `${origin}/${index}`, ...event });
  return `<${priority}>1 ${time} ${origin.slice(0, 255)} sallyport - ${event.kind.slice(0, 32)} - \u{FEFF}${text}`;
}

const framed = (message: string): string => `${Buffer.byteLength(message)} ${message}`;

const hec = (origin: string, { index, event }: Entry): object => ({
  time: event.at / 1000,
  host: origin,
  source: "sallyport",
  sourcetype: "sallyport:event",
  event,
  fields: { id: `${origin}/${index}`, kind: event.kind },
});

const resourceAttributes = (origin: string): object[] => [
  text("service.name", "sallyport"),
  text("service.instance.id", origin),
];

function otlp(origin: string, entries: readonly Entry[]): object {
  const attributes = resourceAttributes(origin);
  const scope = { name: "sallyport.ledger" };
  return {
    resourceLogs: [
      {
        resource: { attributes },
        scopeLogs: [{ scope, logRecords: entries.map((e) => logRecord(origin, e)) }],
      },
    ],
  };
}

const SEVERITY = { 4: [13, "WARN"], 5: [10, "INFO2"], 6: [9, "INFO"] } as const;

function logRecord(origin: string, { index, event }: Entry): object {
  const [severityNumber, severityText] = SEVERITY[severityOf(event)];
  const attributes = [text("log.record.uid", `${origin}/${index}`)];
  if ("session" in event) attributes.push(text("session.id", event.session));
  if ("host" in event) attributes.push(text("server.address", event.host));
  if ("host" in event && "port" in event) attributes.push(whole("server.port", event.port));
  if (event.kind === "exchange.judged") {
    attributes.push(
      text("http.request.method", event.method),
      whole("http.request.body.size", event.requestBytes),
    );
    attributes.push(text("sallyport.verdict", event.verdict));
    if (event.model !== null) attributes.push(text("gen_ai.request.model", event.model));
  }
  if (event.kind === "exchange.answered") {
    attributes.push(whole("http.response.status_code", event.status));
    if (event.usage?.inputTokens != null)
      attributes.push(whole("gen_ai.usage.input_tokens", event.usage.inputTokens));
    if (event.usage?.outputTokens != null)
      attributes.push(whole("gen_ai.usage.output_tokens", event.usage.outputTokens));
  }
  return {
    timeUnixNano: nanoseconds(event.at),
    severityNumber,
    severityText,
    eventName: event.kind,
    body: { stringValue: JSON.stringify(event) },
    attributes,
  };
}

function ocsf(origin: string, { index, event }: Entry): object {
  const common = {
    time: event.at,
    // 1 informational, 2 low, 3 medium
    severity_id: { 6: 1, 5: 2, 4: 3 }[severityOf(event)],
    message: event.kind,
    unmapped: event,
  };
  const metadata = {
    version: OCSF_VERSION,
    product: { name: "Sallyport", vendor_name: "Sallyport" },
    uid: `${origin}/${index}`,
    sequence: index,
    log_name: origin,
    event_code: event.kind,
  };
  switch (event.kind) {
    case "exchange.judged":
    case "exchange.answered":
    case "exchange.failed":
      return {
        ...classOf(6, 6003, 99, "Exchange"),
        ...common,
        metadata: { ...metadata, profiles: ["security_control"] },
        actor: { session: { uid: event.session } },
        src_endpoint: { name: "agent sandbox", uid: event.session },
        ...apiCall(event),
      };
    case "connection.refused":
      return {
        ...classOf(4, 4001, 5, "Refuse"),
        ...common,
        metadata: { ...metadata, profiles: ["security_control"] },
        ...outcome("deny"),
        actor: { session: { uid: event.session } },
        src_endpoint: { name: "agent sandbox", uid: event.session },
        dst_endpoint: { hostname: event.host, port: event.port },
        status_detail: event.reason,
      };
    default:
      return { ...classOf(0, 0, 99, event.kind), ...common, metadata };
  }
}

const classOf = (category: number, uid: number, activity: number, name: string): object => ({
  category_uid: category,
  class_uid: uid,
  activity_id: activity,
  activity_name: name,
  type_uid: uid * 100 + activity,
});

type Exchange = Extract<LedgerEvent, { kind: "exchange.judged" | "exchange.answered" | "exchange.failed" }>;

function apiCall(event: Exchange): object {
  const request = { uid: event.exchange };
  switch (event.kind) {
    case "exchange.judged":
      return {
        ...outcome(event.verdict),
        api: {
          operation: `${event.method} ${event.path}`,
          request,
          service: { name: event.destination ?? event.host },
        },
        dst_endpoint: { hostname: event.host, port: event.port },
        http_request: {
          http_method: event.method,
          length: event.requestBytes,
          url: { hostname: event.host, port: event.port, path: event.path },
        },
      };
    case "exchange.answered":
      return {
        api: { operation: "reply", request, response: { code: event.status } },
        http_response: { code: event.status, length: event.responseBytes },
        duration: Math.round(event.durationMs),
        ...(event.address === null ? {} : { dst_endpoint: { ip: event.address } }),
      };
    case "exchange.failed":
      return {
        api: { operation: "reply", request },
        status_id: 2,
        status_code: event.fault,
        duration: Math.round(event.durationMs),
      };
    default:
      return event satisfies never;
  }
}

/** security_control: action 1 allowed, 2 denied; disposition 1 allowed, 2 blocked, 11 corrected, 14 delayed, 99 other. */
function outcome(verdict: Verdict): object {
  switch (verdict) {
    case "allow":
      return { action_id: 1, disposition_id: 1 };
    case "normalise":
    case "redact":
      return { action_id: 1, disposition_id: 11 };
    case "reroute":
      return { action_id: 1, disposition_id: 99, disposition: "Rerouted" };
    case "ask":
      return { action_id: 1, disposition_id: 14 };
    case "deny":
      return { action_id: 2, disposition_id: 2 };
    default:
      return verdict satisfies never;
  }
}
