/**
 * The report as one HTML file: no script, no reference to anything outside it. Every text of the build's passes through
 * `escaped`; characters that a reader cannot see, or cannot tell from others, are shown by their code points. Pure.
 */
import type { Finding } from "./findings.ts";
import { isHiddenFinding, type VetReport } from "./report.ts";

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** Everything but printable ASCII as its code point. */
const visible = (text: string): string =>
  [...text]
    .map((c) =>
      /[\x20-\x7e‹›]/.test(c)
        ? escaped(c)
        : `<i>U+${(c.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}</i>`,
    )
    .join("");

const STYLE = `:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}body{max-width:70rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}article{border:1px solid #8886;border-radius:.5rem;padding:1rem;margin:1rem 0}
article.hidden{border-color:#c33}table{border-collapse:collapse;width:100%;table-layout:fixed}td,th{border:1px solid #8884;padding:.3rem .5rem;vertical-align:top;text-align:left;overflow-wrap:anywhere}
code,td.t{font:13px/1.5 ui-monospace,monospace}mark{background:#f7c94888;color:inherit}i{font-style:normal;border:1px solid #8888;border-radius:.2rem;padding:0 .15rem;font-size:.85em}
dl{display:grid;grid-template-columns:8rem 1fr;gap:.1rem .8rem}dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}`;

export function reportHtml(report: VetReport): string {
  const hidden = report.findings.filter(isHiddenFinding);
  const others = report.findings.filter((finding) => !isHiddenFinding(finding));
  const parts = [
    `<h1>Vetting of ${escaped(report.agent)} ${escaped(report.build)}</h1>`,
    `<p>SHA-256 <code>${escaped(report.sha256)}</code>. ${report.runs} runs in ${report.tookSeconds} seconds, ${report.combinations} combinations. Nothing but loopback was reached.</p>`,
    `<h2>Hidden differences: ${hidden.length}</h2>`,
    ...hidden.map(findingHtml),
    `<h2>Other findings: ${others.length}</h2>`,
    ...others.map(findingHtml),
    list(
      "Explained, no finding",
      report.explained.map((e) => `${e.factor} (${e.levels.join(", ")}): ${e.explanation}, ${e.where}`),
    ),
    list(
      "Hosts tried",
      report.touched.hosts.map((h) => `${h.host}: ${h.requests} requests`),
    ),
    list("Names looked up, not contacted", report.touched.names),
    list("Would outlive the session", [...report.touched.persistence, ...report.touched.processesLeft]),
    list("Programs started", report.touched.traced?.programs ?? []),
    list("Read outside the workspace", report.touched.traced?.read ?? []),
    list(
      "Switches",
      report.switches.map((s) => `${s.setting}: stops ${s.stops.join(", ") || "nothing"}`),
    ),
    list(
      "Varied",
      report.varied.map((v) => `${v.factor}: ${v.baseline} against ${v.levels.join(", ")}`),
    ),
    list("Not varied", report.notVaried),
    list("Not observed", report.notObserved),
  ];
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"><title>Vetting of ${escaped(report.agent)} ${escaped(report.build)}</title><style>${STYLE}</style><body>\n${parts.join("\n")}\n</body></html>\n`;
}

const list = (title: string, lines: readonly string[]): string =>
  lines.length === 0
    ? ""
    : `<h2>${escaped(title)}</h2><ul>${lines.map((line) => `<li>${visible(line)}</li>`).join("")}</ul>`;

function findingHtml(finding: Finding): string {
  const rows = [
    ["factor", finding.factor],
    ["shown by", finding.levels.join(", ")],
    ["meaning", finding.meaning],
    ["where", `${finding.where} (${finding.places} places)`],
    ["repeated", `${finding.repeats}, in none of ${finding.controls} controls`],
    ["smallest", finding.smallest],
    ["again", finding.reproduce],
  ];
  const points = (side: "a" | "b"): string => finding.codePoints[side].map(escaped).join("<br>") || "–";
  const changes = finding.changes
    .slice(0, 200)
    .map(
      (c) =>
        `<tr><td>${visible(c.where)}<td class="t">${visible(c.a ?? "")}<td class="t">${visible(c.b ?? "")}`,
    );
  return [
    `<article${isHiddenFinding(finding) ? ' class="hidden"' : ""}><dl>${rows.map(([name = "", text = ""]) => `<dt>${name}<dd>${visible(text)}`).join("")}</dl>`,
    `<table><tr><th>${visible(finding.a)}<th>${visible(finding.b)}`,
    `<tr><td class="t">${marked(finding.context.a, finding.bytes.aText)}<td class="t">${marked(finding.context.b, finding.bytes.bText)}`,
    `<tr><td class="t">${escaped(finding.bytes.a ?? "–")}<td class="t">${escaped(finding.bytes.b ?? "–")}`,
    finding.codePoints.a.length + finding.codePoints.b.length > 0
      ? `<tr><td class="t">${points("a")}<td class="t">${points("b")}`
      : "",
    "</table>",
    changes.length > 0
      ? `<details><summary>${finding.changes.length} changes</summary><table>${changes.join("")}</table></details>`
      : "",
    "</article>",
  ].join("");
}

/** The line with the changed pieces marked. */
function marked(line: string | null, changed: string | null): string {
  if (line === null) return "–";
  const pieces = (changed ?? "").split(" … ").filter((piece) => piece !== "");
  let [out, rest] = ["", line];
  for (const piece of pieces) {
    const at = rest.indexOf(piece);
    if (at < 0) break;
    out += `${visible(rest.slice(0, at))}<mark>${visible(piece)}</mark>`;
    rest = rest.slice(at + piece.length);
  }
  return out + visible(rest);
}
