/** `<Verdict>`: a verdict as sign, colour and word, so that none of them is needed alone. */
import type { JSX, ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Icon } from "../frame/icons.tsx";
import { Text } from "./text.tsx";

export const VERDICTS = ["allow", "normalise", "redact", "reroute", "ask", "deny"] as const;
export type VerdictName = (typeof VERDICTS)[number];
export const isVerdict = (text: string): text is VerdictName => VERDICTS.some((name) => name === text);

export function Verdict({ of, count }: { readonly of: string; readonly count?: ReactNode }): JSX.Element {
  const { t } = useTranslation();
  if (!isVerdict(of)) return <Chip>{of}</Chip>;
  return (
    <span className="verdict" data-verdict={of}>
      <Icon name={of} size={14} />
      {t(`verdict.${of}`)}
      {count !== undefined && <span className="figures">{count}</span>}
    </span>
  );
}

/** A short word in a frame: a class, a kind, a state. */
export function Chip({
  tone = "plain",
  children,
}: {
  readonly tone?: "plain" | "good" | "warn" | "bad" | "accent";
  readonly children: string;
}): JSX.Element {
  return (
    <span className="chip" data-tone={tone}>
      <Text>{children}</Text>
    </span>
  );
}
