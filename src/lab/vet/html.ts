/**
 * The report as one HTML file: no script, no reference to anything outside it. Every text of the build's passes through
 * `escaped`; characters that a reader cannot see, or cannot tell from others, are shown by their code points. Pure.
 */
import { type Change, type Finding, pointsOf } from "./findings.ts";
import { isHiddenFinding, type VetReport } from "./report.ts";

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const hexOf = (char: string): string =>
  `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;

/** Everything but printable ASCII with its code point: the character too where it is a letter or a mark of its own. */
const visible = (text: string): string =>
  [...text]
    .map((c) => {
      if (/[\x20-\x7e‹›…→↔]/.test(c)) return escaped(c);
      const glyph = /[\p{L}\p{N}\p{P}\p{S}]/u.test(c) ? `${escaped(c)} ` : "";
      return `<i>${glyph}${hexOf(c)}</i>`;
    })
    .join("");

const STYLE = `:root{color-scheme:light dark;--line:#8884;--soft:#8881;--a:#1a7f37;--b:#c22;--warn:#b35900;font:15px/1.5 system-ui,sans-serif}
body{max-width:76rem;margin:0 auto;padding:1.5rem 1rem 4rem}h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}h3{font-size:1rem;margin:0}
header{border-bottom:1px solid var(--line);padding-bottom:1rem}header p{margin:.3rem 0;opacity:.85}code,.t{font:13px/1.6 ui-monospace,monospace}
.sum{display:flex;gap:.6rem;flex-wrap:wrap;margin:1rem 0 0;padding:0;list-style:none}.sum li{border:1px solid var(--line);border-radius:.5rem;padding:.4rem .8rem}.sum b{display:block;font-size:1.3rem}.sum .bad b{color:var(--b)}
article{border:1px solid var(--line);border-left:4px solid var(--line);border-radius:.4rem;padding:.9rem 1rem;margin:.9rem 0}article.hidden,article.canary{border-left-color:var(--b)}
.kind{font-size:.75rem;text-transform:uppercase;letter-spacing:.04em;border:1px solid var(--line);border-radius:.3rem;padding:.05rem .4rem;margin-right:.5rem}
.hidden .kind,.canary .kind{border-color:var(--b);color:var(--b)}
.two{display:grid;grid-template-columns:1fr 1fr;gap:.8rem;margin:.8rem 0}.two>div{border:1px solid var(--line);border-radius:.4rem;min-width:0;overflow:hidden}
.two h4{margin:0;padding:.35rem .7rem;font-size:.85rem;background:var(--soft);border-bottom:1px solid var(--line)}.two .t{padding:.5rem .7rem;overflow-wrap:anywhere;white-space:pre-wrap}
.points{margin:0;padding:.4rem .7rem;border-top:1px dashed var(--line);font:12px/1.7 ui-monospace,monospace;list-style:none}
.a mark{background:#2da44e44}.b mark{background:#f8514944}mark{color:inherit;border-radius:.15rem;padding:0 .1rem}
i{font-style:normal;border:1px solid #8888;border-radius:.2rem;padding:0 .2rem;font-size:.85em}
dl{display:grid;grid-template-columns:7rem 1fr;gap:.1rem .8rem;margin:.5rem 0 0;font-size:.9rem}dt{opacity:.65}dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;table-layout:fixed;margin-top:.5rem}td,th{border:1px solid var(--line);padding:.3rem .5rem;vertical-align:top;text-align:left;overflow-wrap:anywhere;font-size:.85rem}
details>summary{cursor:pointer}ul{padding-left:1.2rem}li{overflow-wrap:anywhere}
@media(max-width:48rem){.two{grid-template-columns:1fr}dl{grid-template-columns:1fr}}`;

export function reportHtml(report: VetReport): string {
  const hidden = report.findings.filter(isHiddenFinding);
  const canaries = report.findings.filter(({ kind }) => kind === "canary");
  const others = report.findings.filter((one) => !isHiddenFinding(one) && one.kind !== "canary");
  const title = `Vetting of ${report.agent} ${report.build}`;
  const parts = [
    header(report, hidden.length, canaries.length, others.length),
    chapter("Hidden differences", hidden, "None in what was varied."),
    chapter("Planted secrets that left", canaries, "None."),
    chapter("Visible differences", others, "None."),
    list(
      "Explained, no finding",
      report.explained.map((e) => `${e.factor} (${e.levels.join(", ")}): ${e.explanation}; ${e.where}`),
    ),
    list(
      "Hosts tried",
      report.touched.hosts.map(
        (h) => `${h.host}: ${h.requests} requests${h.refused ? ", TLS refused by the build" : ""}`,
      ),
    ),
    list("Names looked up, not contacted", report.touched.names),
    list("Files written in the home", report.touched.written),
    list("Would outlive the session", [...report.touched.persistence, ...report.touched.processesLeft]),
    list("Programs started", report.touched.traced?.programs ?? []),
    list("Read outside the workspace", report.touched.traced?.read ?? []),
    list("Listened on", report.touched.traced?.listened ?? []),
    list(
      "Switches",
      report.switches.map(
        (s) =>
          `${s.setting}: stops ${s.stops.join(", ") || "nothing"}${s.starts.length > 0 ? `; starts ${s.starts.join(", ")}` : ""}`,
      ),
    ),
    list("Install scripts, not run", report.installScripts),
    list(
      "Varied",
      report.varied.map((v) => `${v.factor}: ${v.baseline} against ${v.levels.join(", ")}`),
    ),
    list("Not varied", report.notVaried, true),
    list("Not observed", report.notObserved, true),
  ];
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"><title>${escaped(title)}</title><style>${STYLE}</style><body>\n${parts.join("\n")}\n</body></html>\n`;
}

function header(report: VetReport, hidden: number, canaries: number, others: number): string {
  const tile = (count: number, what: string, isBad: boolean): string =>
    `<li${isBad && count > 0 ? ' class="bad"' : ""}><b>${count}</b>${what}</li>`;
  return [
    `<header><h1>Vetting of ${visible(report.agent)} ${visible(report.build)}</h1>`,
    `<p>SHA-256 <code>${escaped(report.sha256)}</code></p>`,
    `<p>${report.runs} runs in ${report.tookSeconds} seconds, ${report.combinations} of them of many changes at once. Nothing but loopback was reached. What differs below differed in every run of one surrounding and in none of the other.</p>`,
    `<ul class="sum">${tile(hidden, "hidden differences", true)}${tile(canaries, "planted secrets that left", true)}${tile(others, "visible differences", false)}${tile(report.explained.length, "explained", false)}</ul></header>`,
  ].join("");
}

const chapter = (title: string, findings: readonly Finding[], none: string): string =>
  `<h2>${title}: ${findings.length}</h2>${findings.length === 0 ? `<p>${none}</p>` : findings.map(findingHtml).join("\n")}`;

const list = (title: string, lines: readonly string[], isOpen = false): string =>
  lines.length === 0
    ? ""
    : `<h2>${escaped(title)}</h2><details${isOpen || lines.length <= 12 ? " open" : ""}><summary>${lines.length}</summary><ul>${lines.map((line) => `<li>${visible(line)}</li>`).join("")}</ul></details>`;

function findingHtml(finding: Finding): string {
  const rows = [
    ["shown by", finding.levels.join(", ")],
    ["where", `${finding.where}${finding.places > 1 ? ` (${finding.places} places)` : ""}`],
    [
      "repeated",
      `${finding.repeats}${finding.controls > 0 ? `, in none of ${finding.controls} controls` : ""}`,
    ],
    ["smallest", finding.smallest],
    ["again", finding.reproduce],
  ];
  const shape = isHiddenFinding(finding) ? "hidden" : finding.kind;
  return [
    `<article class="${shape}"><h3><span class="kind">${finding.kind}</span>${visible(finding.factor)}: ${visible(finding.meaning)}</h3>`,
    `<div class="two">${side(finding, "a")}${side(finding, "b")}</div>`,
    finding.changes.length > 0 ? changesHtml(finding.changes) : "",
    `<dl>${rows.map(([name = "", text = ""]) => `<dt>${name}<dd>${name === "again" ? `<code>${visible(text)}</code>` : visible(text)}`).join("")}</dl></article>`,
  ].join("");
}

/** One environment's line, the change in it marked, its bytes and its code points. */
function side(finding: Finding, which: "a" | "b"): string {
  const { codePoints, bytes, context } = finding;
  const [text, hex] = which === "a" ? [bytes.aText, bytes.a] : [bytes.bText, bytes.b];
  const points = codePoints[which].length > 0 ? codePoints[which] : pointsIn(text);
  const told = [
    ...points.map((point) => `<li>${visible(point)}</li>`),
    ...(hex === null || hex === ""
      ? []
      : [`<li>bytes ${escaped((hex.match(/../g) ?? []).slice(0, 40).join(" "))}</li>`]),
  ];
  return `<div class="${which}"><h4>${visible(finding[which])}</h4><div class="t">${marked(context[which], text)}</div>${told.length === 0 ? "" : `<ul class="points">${told.join("")}</ul>`}</div>`;
}

/** Of a short visible change. */
const pointsIn = (text: string | null): readonly string[] =>
  text !== null && text.length <= 4 ? pointsOf(text) : [];

const MOST_CHANGES = 200;

function changesHtml(changes: readonly Change[]): string {
  const rows = changes
    .slice(0, MOST_CHANGES)
    .map(
      ({ where, a, b }) =>
        `<tr><td>${visible(where)}<td class="t">${a === null ? "–" : visible(a)}<td class="t">${b === null ? "–" : visible(b)}`,
    );
  const more = changes.length > MOST_CHANGES ? `<p>and ${changes.length - MOST_CHANGES} more</p>` : "";
  return `<details><summary>${changes.length} changes</summary><table><tr><th>where<th>here<th>there${rows.join("")}</table>${more}</details>`;
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
  // Where nothing about it changed, a line's end says nothing.
  return out + visible(rest.replace(/\n$/, ""));
}
