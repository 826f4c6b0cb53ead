/**
 * Exchanges with models as OpenTelemetry spans: one CLIENT span for each, from its judgement to its reply, with the GenAI
 * attributes (semantic-conventions-genai, stage "Development": they may be renamed there). Content is not in the log, so
 * neither is it in the spans. Pure fold; ids are hashes of the log's own names, so that a span sent twice is the same span.
 *
 * A span is complete with `exchange.answered` or `exchange.failed`; with the judgement alone where nothing was sent; with the
 * session's end where no reply was recorded.
 */
import { createHash } from "node:crypto";
import type { LedgerEvent } from "../core/index.ts";

type Judged = Extract<LedgerEvent, { kind: "exchange.judged" }>;
type Answered = Extract<LedgerEvent, { kind: "exchange.answered" }>;

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string } | { readonly intValue: string };
}
export const text = (key: string, value: string): Attribute => ({ key, value: { stringValue: value } });
/** OTLP's JSON writes 64-bit integers as text. */
export const whole = (key: string, value: number): Attribute => ({ key, value: { intValue: String(value) } });
/** Milliseconds to nanoseconds as text: beyond what a number holds exactly. */
export const nanoseconds = (ms: number): string => `${ms}000000`;

const CLIENT = 3;
const ERROR = 2;

/** The conventions' names of well-known providers, by what their hosts end in. */
const PROVIDERS: readonly (readonly [ending: string, name: string])[] = [
  ["api.anthropic.com", "anthropic"],
  ["openai.azure.com", "azure.ai.openai"],
  ["services.ai.azure.com", "azure.ai.inference"],
  ["openai.com", "openai"],
  ["chatgpt.com", "openai"],
  ["generativelanguage.googleapis.com", "gcp.gemini"],
  ["aiplatform.googleapis.com", "gcp.vertex_ai"],
  ["amazonaws.com", "aws.bedrock"],
  ["api.mistral.ai", "mistral_ai"],
  ["api.deepseek.com", "deepseek"],
  ["api.x.ai", "x_ai"],
  ["api.groq.com", "groq"],
];

/** Folds entries into spans. What is open is held in memory: an exchange under way, a few hundred bytes. */
export class SpanFold {
  readonly #origin: string;
  readonly #open = new Map<string, { readonly index: number; readonly judged: Judged }>();

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Index of the oldest entry that a span still to come needs; null where there is none. */
  get oldest(): number | null {
    const [first] = this.#open.values();
    return first?.index ?? null; // entries come in order
  }

  /** The spans that this entry completes. */
  add(index: number, event: LedgerEvent): object[] {
    switch (event.kind) {
      case "exchange.judged":
        if (event.model === null) return [];
        if (event.verdict === "deny") return [this.#span(index, event, event.at, "denied", [])];
        this.#open.set(event.exchange, { index, judged: event });
        return [];
      case "exchange.answered":
        return this.#close(event.exchange, event.at, answerFault(event), answerAttributes(event));
      case "exchange.failed":
        return this.#close(event.exchange, event.at, event.fault, []);
      case "session.ended":
        return [...this.#open.values()]
          .filter(({ judged }) => judged.session === event.session)
          .flatMap(({ judged }) => this.#close(judged.exchange, event.at, "unanswered", []));
      default:
        return [];
    }
  }

  #close(exchange: string, at: number, fault: string | null, more: readonly Attribute[]): object[] {
    const open = this.#open.get(exchange);
    if (open === undefined) return []; // no model's, or judged before where the export began
    this.#open.delete(exchange);
    return [this.#span(open.index, open.judged, at, fault, more)];
  }

  #span(
    index: number,
    judged: Judged,
    end: number,
    fault: string | null,
    more: readonly Attribute[],
  ): object {
    const model = judged.model ?? "";
    return {
      traceId: this.#id(judged.session, 16),
      spanId: this.#id(judged.exchange, 8),
      name: `chat ${model}`,
      kind: CLIENT,
      startTimeUnixNano: nanoseconds(judged.at),
      endTimeUnixNano: nanoseconds(Math.max(judged.at, end)), // the clock may have been set back
      attributes: [
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", providerOf(judged)),
        text("gen_ai.request.model", model),
        text("gen_ai.conversation.id", judged.session),
        text("server.address", judged.host),
        whole("server.port", judged.port),
        whole("http.request.body.size", judged.requestBytes),
        text("sallyport.verdict", judged.verdict),
        text("sallyport.entry", `${this.#origin}/${index}`),
        ...more,
        ...(fault === null ? [] : [text("error.type", fault)]),
      ],
      status: fault === null ? {} : { code: ERROR, message: fault },
    };
  }

  #id(name: string, bytes: number): string {
    return createHash("sha256")
      .update(`${this.#origin}\n${name}`)
      .digest("hex")
      .slice(0, bytes * 2);
  }
}

function providerOf({ host, destination }: Judged): string {
  const known = PROVIDERS.find(([ending]) => host === ending || host.endsWith(`.${ending}`));
  return known?.[1] ?? destination ?? host;
}

/** `error.type` is the status where there was one. */
function answerFault({ status, complete }: Answered): string | null {
  if (status >= 400) return String(status);
  return complete ? null : "incomplete";
}

function answerAttributes({ status, responseBytes, usage }: Answered): Attribute[] {
  const tokens: readonly (readonly [string, number | null | undefined])[] = [
    ["gen_ai.usage.input_tokens", usage?.inputTokens],
    ["gen_ai.usage.output_tokens", usage?.outputTokens],
    ["gen_ai.usage.cache_read.input_tokens", usage?.cachedTokens],
  ];
  return [
    whole("http.response.status_code", status),
    whole("http.response.body.size", responseBytes),
    ...tokens.flatMap(([key, count]) => (count == null ? [] : whole(key, count))),
  ];
}
