/** The time that a page looks at, kept in its address: `?range=7d`, or `?from=…&to=…` in Unix ms. */
import { useCallback, useMemo } from "react";
import { useSearchParams } from "react-router";

export const SPANS = {
  "1h": 3_600_000,
  "24h": 86_400_000,
  "7d": 604_800_000,
  "30d": 2_592_000_000,
  "90d": 7_776_000_000,
  all: null,
} as const;
export type Span = keyof typeof SPANS;
export const DEFAULT_SPAN: Span = "30d";

export interface Range {
  /** The name of the span that ends now; null: two dates. */
  readonly span: Span | null;
  /** Unix ms; absent: from the beginning. */
  readonly from: number | undefined;
  /** Unix ms, not included; absent: until now. */
  readonly to: number | undefined;
}

const isSpan = (text: string | null): text is Span => text !== null && Object.hasOwn(SPANS, text);
const wholeNumber = (text: string | null): number | undefined =>
  text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;

/** A span's start is the full minute, so that the same question has the same name for a while. */
export function rangeOf(search: URLSearchParams, now: number): Range {
  const from = wholeNumber(search.get("from"));
  const to = wholeNumber(search.get("to"));
  if (from !== undefined || to !== undefined) return { span: null, from, to };
  const named = search.get("range");
  const span = isSpan(named) ? named : DEFAULT_SPAN;
  const length = SPANS[span];
  return {
    span,
    from: length === null ? undefined : Math.floor((now - length) / 60_000) * 60_000,
    to: undefined,
  };
}

export function useRange(): Range & {
  readonly choose: (range: Span | { from: number; to: number }) => void;
} {
  const [search, setSearch] = useSearchParams();
  const minute = Math.floor(Date.now() / 60_000) * 60_000;
  const range = useMemo(() => rangeOf(search, minute), [search, minute]);
  const choose = useCallback(
    (wanted: Span | { from: number; to: number }) =>
      setSearch((now) => {
        const next = new URLSearchParams(now);
        for (const name of ["range", "from", "to"]) next.delete(name);
        if (typeof wanted === "string") next.set("range", wanted);
        else {
          next.set("from", String(wanted.from));
          next.set("to", String(wanted.to));
        }
        return next;
      }),
    [setSearch],
  );
  return { ...range, choose };
}
