/** The pages' few signs, drawn here: 20 units square, in the colour of the text, and never without words. */
import type { JSX } from "react";
import type { PageId } from "./pages.ts";

const PATHS: Readonly<Record<PageId | IconName, string>> = {
  flows:
    "M2.5 4.5h2.5c4 0 5 5.5 9 5.5h3M2.5 15.5h2.5c4 0 5-5.5 9-5.5M2.5 10h8M15 7.500l2.500 2.500-2.500 2.500",
  exposure:
    "M2 10s3-5.500 8-5.500S18 10 18 10s-3 5.500-8 5.500S2 10 2 10zM10 12.300a2.300 2.300 0 1 0 0-4.600 2.300 2.300 0 0 0 0 4.600z",
  disclosures: "M5 2.500h6.500L15.500 6.500v11H5zM11 2.500V7h4.500M7.500 10.500h5M7.500 13.500h5",
  sessions: "M3 4.500h14v11H3zM6 8l2.500 2L6 12M10.500 12.500H14",
  agents: "M5 7.500h10v8H5zM10 7.500V4M10 4h.01M2.500 11v2M17.500 11v2M8 11v1M12 11v1",
  destinations:
    "M10 17.500a7.500 7.500 0 1 0 0-15 7.500 7.500 0 0 0 0 15zM2.500 10h15M10 2.500c5 5 5 10 0 15-5-5-5-10 0-15z",
  policy:
    "M10 2.500 16.500 5v5c0 4-2.800 6.500-6.500 7.500C6.300 16.500 3.500 14 3.500 10V5zM7 10l2.200 2.200L13.200 8",
  approvals: "M3 11.500 5 4h10l2 7.500V16H3zM3 11.500h4l1 2h4l1-2h4",
  ledger: "M4.500 3h11v14h-11zM7.500 6.500h5M7.500 9.500h5M7.500 12.500h3M2.500 6h2M2.500 10h2M2.500 14h2",
  health: "M2.500 10.500h3.500l2-5.500 3.500 10 2.200-4.500h3.800",
  menu: "M3 5.500h14M3 10h14M3 14.500h14",
  close: "M5 5l10 10M15 5 5 15",
  more: "M5 8l5 5 5-5",
  next: "M8 5l5 5-5 5",
  back: "M12 5l-5 5 5 5",
  up: "M10 16V4M5 9l5-5 5 5",
  down: "M10 4v12M5 11l5 5 5-5",
  export: "M10 3v9M6.500 8.500 10 12l3.500-3.500M3.500 14v3h13v-3",
  clock: "M10 17.500a7.500 7.500 0 1 0 0-15 7.500 7.500 0 0 0 0 15zM10 5.500V10l3 2",
  search: "M9 15A6 6 0 1 0 9 3a6 6 0 0 0 0 12zM13.500 13.500 17.500 17.500",
  light:
    "M10 13.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM10 2v2M10 16v2M2 10h2M16 10h2M4.300 4.300l1.400 1.400M14.300 14.300l1.400 1.400M4.300 15.700l1.400-1.400M14.300 5.700l1.400-1.400",
  dark: "M16.500 11.800A7 7 0 0 1 8.200 3.500a7 7 0 1 0 8.300 8.300z",
  system: "M3 4h14v9.500H3zM7 17h6M10 13.500V17",
  allow: "M4 10.500 8 14.500 16 6",
  redact: "M3 7h14v6H3zM6 7v6M9 7v6M12 7v6M15 7v6",
  normalise: "M3 6h14M3 10h14M3 14h14M8 4.500v3M13 8.500v3M6 12.500v3",
  reroute: "M3 14h5c4 0 2-8 6-8h3M14 3l3 3-3 3",
  ask: "M7 7.500a3 3 0 1 1 4.500 2.600c-1 .600-1.500 1.200-1.500 2.400M10 15.500h.01",
  deny: "M10 17.500a7.500 7.500 0 1 0 0-15 7.500 7.500 0 0 0 0 15zM4.800 4.800l10.400 10.400",
  lock: "M5 9h10v8H5zM7 9V6.500a3 3 0 0 1 6 0V9",
  warn: "M10 3 18 16.500H2zM10 8v4M10 14h.01",
  info: "M10 17.500a7.500 7.500 0 1 0 0-15 7.500 7.500 0 0 0 0 15zM10 9v5M10 6h.01",
  leave: "M8 3.500H4v13h4M8 10h9M13.500 6.500 17 10l-3.500 3.500",
  file: "M5 2.500h6.500L15.500 6.500v11H5zM11 2.500V7h4.500",
  play: "M6 4l10 6-10 6z",
  pause: "M6.500 4v12M13.500 4v12",
  keyboard:
    "M2.5 5.5h15v9h-15zM5.5 8.500h.01M8.500 8.500h.01M11.500 8.500h.01M14.500 8.500h.01M6.500 11.700h7",
  copy: "M7 7h9.500v10H7zM13 7V3H3.500v10H7",
};

export type IconName =
  | "menu"
  | "close"
  | "more"
  | "next"
  | "back"
  | "up"
  | "down"
  | "export"
  | "clock"
  | "search"
  | "light"
  | "dark"
  | "system"
  | "allow"
  | "redact"
  | "normalise"
  | "reroute"
  | "ask"
  | "deny"
  | "lock"
  | "warn"
  | "info"
  | "leave"
  | "file"
  | "play"
  | "pause"
  | "copy"
  | "keyboard";

export function Icon({
  name,
  size = 16,
}: {
  readonly name: PageId | IconName;
  readonly size?: number;
}): JSX.Element {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The house's mark: a gate within a gate. */
export function Mark({ size = 24 }: { readonly size?: number }): JSX.Element {
  return (
    <svg className="mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path className="mark-outer" d="M4 28V14.500a12 12 0 0 1 24 0V28" />
      <path className="mark-inner" d="M11 28V15a5 5 0 0 1 10 0v13" />
    </svg>
  );
}
