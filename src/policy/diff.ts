/**
 * What a change of policy changes, in sentences: every kind of sending whose outcome differs, gathered into as few
 * regions as it takes, and every grant that is added or taken away. Whether it loosens anywhere is a computed fact:
 * loosening wants two approvers, tightening one.
 */
import { decide, decideConnection, STRICTNESS } from "./decide.ts";
import { BUDGET_NAMES, type PolicyDocument } from "./document.ts";
import { LABEL_NAMES, type LabelName, type Point } from "./label.ts";
import { layer, type Policy } from "./layer.ts";
import { ANY_PROFILE } from "./prove.ts";
import { conditionsOf, pointsOf, type Quotient, quotientOf } from "./quotient.ts";
import { type Language, type Region, sayRegion } from "./words.ts";

export interface Change {
  readonly loosens: boolean;
  readonly sentence: string;
}

/** The outcome of one sending. Sendings of equal outcome are told alike. */
interface Outcome {
  readonly text: string;
  readonly strictness: number;
}

/**
 * Compares two sets of documents. Where neither holds a profile, they are compared beside one that allows everything.
 * Throws `policy.too-wide`.
 */
export function diff(
  before: readonly PolicyDocument[],
  after: readonly PolicyDocument[],
  language: Language,
): readonly Change[] {
  const hasProfile = [...before, ...after].some(({ data }) => data.kind === "Profile");
  const rest = hasProfile ? [] : [ANY_PROFILE];
  const [old, fresh] = [layer([...before, ...rest]), layer([...after, ...rest])];
  const quotient = quotientOf(conditionsOf([...before, ...after]));
  const changed = new Map<string, { from: Outcome; to: Outcome; cells: Cell[] }>();
  for (const point of pointsOf(quotient)) {
    const [from, to] = [outcomeOf(old, point), outcomeOf(fresh, point)];
    if (from.text === to.text) continue;
    const key = `${from.text} ${to.text}`;
    const group = changed.get(key) ?? { from, to, cells: [] };
    group.cells.push(cellOf(point, quotient));
    changed.set(key, group);
  }
  const sendings = [...changed.values()].flatMap(({ from, to, cells }) =>
    gather(cells, quotient).map((region): Change => {
      const where = sayRegion(region, quotient, language);
      const sentence =
        language === "en"
          ? `${from.text} becomes ${to.text} when ${where}`
          : `${where}时，由 ${from.text} 变为 ${to.text}`;
      // Of equal verdicts with other obligations, neither is surely the stricter: taken as loosening.
      return { loosens: to.strictness <= from.strictness, sentence };
    }),
  );
  return [...sendings, ...grantChanges(old, fresh, language)];
}

function outcomeOf(policy: Policy, point: Point): Outcome {
  const connection = decideConnection(policy, point.host, point.port);
  if (connection.verdict === "deny") return { text: "deny", strictness: STRICTNESS.deny };
  const { verdict, redact, normalise, rerouteTo } = decide(policy, point);
  const notes = [
    ...(normalise ? ["as vetted"] : []),
    ...redact.map((data) => `${data} masked`),
    ...(rerouteTo === null ? [] : [`to ${rerouteTo.toSorted().join(" or ")}`]),
    ...(connection.privateAddresses && verdict !== "deny" ? ["also at private addresses"] : []),
  ];
  const text = notes.length === 0 ? verdict : `${verdict} (${notes.join(", ")})`;
  return { text, strictness: STRICTNESS[verdict] };
}

/** For each label, the indexes of the classes it may have. */
type Cell = Record<LabelName, readonly number[]>;

const cellOf = (point: Point, quotient: Quotient): Cell =>
  // One entry for each label.
  Object.fromEntries(
    LABEL_NAMES.map((label) => [label, [quotient[label].findIndex(({ sample }) => sample === point[label])]]),
  ) as unknown as Cell;

/** Joins cells that differ in one label, label by label, until no two can be joined. */
function gather(cells: readonly Cell[], quotient: Quotient): readonly Region[] {
  let now = cells;
  for (;;) {
    let next = now;
    for (const label of LABEL_NAMES) next = joinAlong(label, next);
    if (next.length === now.length) break;
    now = next;
  }
  return now.map((cell) =>
    Object.fromEntries(
      LABEL_NAMES.flatMap((label) => {
        const classes = cell[label].flatMap((at) => quotient[label][at] ?? []);
        return classes.length === quotient[label].length ? [] : [[label, classes]];
      }),
    ),
  );
}

function joinAlong(label: LabelName, cells: readonly Cell[]): readonly Cell[] {
  if (cells.length < 2) return cells;
  const joined = new Map<string, Cell>();
  for (const cell of cells) {
    const key = LABEL_NAMES.map((name) => (name === label ? "" : cell[name].join("."))).join("|");
    const same = joined.get(key);
    const values = same === undefined ? cell[label] : [...same[label], ...cell[label]].sort((a, b) => a - b);
    joined.set(key, { ...cell, [label]: values });
  }
  return [...joined.values()];
}

/** Lists of which more means looser, and lists of which more means tighter. */
function grantChanges(old: Policy, fresh: Policy, language: Language): readonly Change[] {
  const lists: [
    english: string,
    chinese: string,
    before: readonly string[],
    after: readonly string[],
    looser: boolean,
  ][] = [
    ["readable folders", "可读目录", old.files.read, fresh.files.read, true],
    ["writable folders", "可写目录", old.files.write, fresh.files.write, true],
    ["hidden files", "隐藏文件", old.files.hide, fresh.files.hide, false],
    ["variables passed on", "传递的环境变量", old.environment.pass, fresh.environment.pass, true],
    ["commands to ask about", "须询问的命令", old.programs.ask, fresh.programs.ask, false],
    ["commands refused", "禁止的命令", old.programs.deny, fresh.programs.deny, false],
    ["agents' tools switched off", "关闭的代理工具", old.tools.deny, fresh.tools.deny, false],
    ["MCP tools refused", "禁止的 MCP 工具", old.mcpTools.deny, fresh.mcpTools.deny, false],
    ["MCP servers", "MCP 服务器", serversOf(old, fresh), serversOf(fresh, old), true],
    ["repository's own settings", "代码仓库自带设置", usesOf(old), usesOf(fresh), true],
    ["budgets", "额度", budgetsOf(old), budgetsOf(fresh), false],
    ["what inspection looks for", "内容检查的标签", labelsOf(old), labelsOf(fresh), false],
    ["findings passed over", "豁免的检查结果", waiversOf(old), waiversOf(fresh), true],
    ["values come back in", "还原位置", restoresIn(old), restoresIn(fresh), true],
    ["sandbox", "沙箱", sandboxGrants(old), sandboxGrants(fresh), true],
  ];
  const [added, removed] = language === "en" ? ["added", "removed"] : ["新增", "移除"];
  return lists.flatMap(([english, chinese, before, after, looser]) => {
    const name = language === "en" ? english : chinese;
    const plus = after.filter((item) => !before.includes(item));
    const minus = before.filter((item) => !after.includes(item));
    return [
      ...(plus.length === 0 ? [] : [{ loosens: looser, sentence: `${name}: ${added} ${plus.join(", ")}` }]),
      ...(minus.length === 0
        ? []
        : [{ loosens: !looser, sentence: `${name}: ${removed} ${minus.join(", ")}` }]),
    ];
  });
}

const labelsOf = ({ inspect }: Policy): readonly string[] => [
  ...inspect.terms.map(({ id, text, class: data }) => `${id} \`${text}\` (${data})`),
  ...inspect.paths.map(({ path, class: data }) => `${path} (${data})`),
  ...inspect.code.map(({ path }) => path),
];

const waiversOf = ({ inspect }: Policy): readonly string[] =>
  inspect.waivers.map(
    ({ hash, reason, expiresAt }) =>
      `${hash} until ${new Date(expiresAt).toISOString().slice(0, 10)} (${reason})`,
  );

const restoresIn = ({ inspect: { restore } }: Policy): readonly string[] =>
  restore === "none" ? [] : restore === "text" ? ["text"] : ["text", "the file of origin"];

const sandboxGrants = ({ sandbox }: Policy): readonly string[] => [
  ...(sandbox.mode === "none" ? ["off"] : []),
  ...(sandbox.nested ? ["nested sandboxes"] : []),
  ...(sandbox.review ? [] : ["changes without a review"]),
  ...(sandbox.unrecorded ? ["going on without a record"] : []),
];

/** Without a list any server may be used, those of the other policy among them. */
const serversOf = (own: Policy, other: Policy): readonly string[] =>
  own.mcpServers ?? ["any other", ...(other.mcpServers ?? [])];

const usesOf = ({ repositorySettings }: Policy): readonly string[] =>
  repositorySettings === "use" ? ["use"] : [];

/** A budget that is changed is one removed and one added: taken as loosening, unless it was only added. */
const budgetsOf = ({ layers }: Policy): readonly string[] =>
  layers.flatMap(({ document: { data } }) =>
    (["", "day "] as const).flatMap((per) =>
      BUDGET_NAMES.flatMap((name) => {
        const limits: Partial<Record<string, number>> | undefined =
          per === "" ? { ...data.budgets, because: undefined, day: undefined } : data.budgets?.day;
        const limit = limits?.[name];
        return limit === undefined ? [] : [`${per}${name} ${limit} (${data.metadata.name})`];
      }),
    ),
  );
