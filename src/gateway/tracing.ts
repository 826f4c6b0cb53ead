/**
 * Hands what leaves to whoever compares it with the workspace's files: texts that their destination has not been sent in
 * this session, once the request is on its way. No request waits for it.
 */
import type { Decoded, TextPart } from "../dialect/index.ts";
import type { Verdicted } from "./matter.ts";
import type { Reading } from "./session.ts";

/** Owned by whoever opened the session. Neither throws nor waits. */
export interface Tracer {
  begin(trace: {
    readonly exchange: Verdicted["id"];
    readonly host: string;
    readonly sentTo: string;
    readonly destination: string | null;
    readonly texts: readonly { readonly text: string; readonly named: readonly string[] }[];
  }): void;
  /** Whether it left after all. */
  settle(exchange: Verdicted["id"], hasLeft: boolean): void;
}

/** What says nothing as text, and what stands in other parts, too. */
const NOT_TRACED: ReadonlySet<TextPart["role"]> = new Set(["encoded", "credential", "fragment"]);
/** What is remembered of one destination; forgetting makes texts new again. */
const MOST_TEXTS = 50_000;
const MOST_CHARS = 64 << 20;

interface Known {
  readonly texts: Set<string>;
  chars: number;
  /** The parts of the last request: most of the next one's are the very same objects. */
  last: Decoded["parts"];
}

/** Owned by one session. */
export class Tracing {
  readonly #tracer: Tracer;
  /** By where it went: what is new to one is not new to another. */
  readonly #known = new Map<string, Known>();

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** To be called when the request is on its way; what it returns, with whether it left. */
  begin({ id, judgement, matter }: Verdicted, reading: Reading): (hasLeft: boolean) => void {
    const { sentTo, destination } = judgement;
    const { parts } = reading.leaving ?? reading.decoded;
    const fresh = this.#fresh(sentTo, parts);
    if (fresh.length === 0 && matter.about.bytes === 0) return () => {};
    const texts = fresh.map(({ text, files = [], named = [] }) => ({ text, named: [...files, ...named] }));
    const { host } = matter.about.target;
    this.#tracer.begin({ exchange: id, host, sentTo, destination, texts });
    return (hasLeft) => {
      if (!hasLeft) this.#forget(sentTo, fresh);
      this.#tracer.settle(id, hasLeft);
    };
  }

  #fresh(sentTo: string, parts: Decoded["parts"]): readonly TextPart[] {
    const known = this.#known.get(sentTo) ?? { texts: new Set(), chars: 0, last: [] };
    this.#known.set(sentTo, known);
    const fresh: TextPart[] = [];
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i];
      if (part === undefined || part === known.last[i]) continue;
      if (NOT_TRACED.has(part.role) || known.texts.has(part.text)) continue;
      known.texts.add(part.text);
      known.chars += part.text.length;
      fresh.push(part);
    }
    known.last = parts;
    if (known.texts.size > MOST_TEXTS || known.chars > MOST_CHARS) this.#known.delete(sentTo);
    return fresh;
  }

  #forget(sentTo: string, fresh: readonly TextPart[]): void {
    const known = this.#known.get(sentTo);
    if (known === undefined) return;
    known.last = [];
    for (const { text } of fresh) if (known.texts.delete(text)) known.chars -= text.length;
  }
}
