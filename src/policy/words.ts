/** Points and conditions as people say them, in English and Simplified Chinese. */
import type { Sentence } from "./document.ts";
import { LABEL_NAMES, type LabelName, type Point } from "./label.ts";
import type { Quotient, ValueClass } from "./quotient.ts";

export type Language = "en" | "zh-CN";

export const say = (sentence: Sentence, language: Language): string =>
  typeof sentence === "string" ? sentence : sentence[language];

type Value = string | number;

const NAMES: Readonly<Record<LabelName, readonly [english: string, chinese: string]>> = {
  agent: ["the agent is", "代理为"],
  build: ["the build is", "构建版本为"],
  host: ["the host is", "主机为"],
  port: ["the port is", "端口为"],
  channel: ["the channel is", "通道为"],
  serverIn: ["the server computes in", "服务器所在地为"],
  operatorLaw: ["the operator is under the law of", "运营方受其管辖的法律为"],
  trains: ["the operator trains on content:", "运营方用内容训练："],
  dpa: ["the data processing agreement is", "数据处理协议为"],
  repo: ["the repository is classed", "代码仓库级别为"],
  data: ["the data are", "数据类别为"],
  model: ["the model is", "模型为"],
};

/** `the channel is llm or mcp` */
export function sayLabel(label: LabelName, values: readonly Value[], language: Language): string {
  const [english, chinese] = NAMES[label];
  if (label === "operatorLaw" && values.length === 1 && values[0] === "SELF")
    return language === "en" ? "we run the server ourselves" : "服务器由我们自己运营";
  return language === "en" ? `${english} ${values.join(" or ")}` : `${chinese}${values.join("或")}`;
}

/** A point as a sentence's beginning: `claude sends secret to api.a.example:443 (llm)`. */
export function sayPoint(point: Point, language: Language): string {
  const to = `${point.host}:${point.port} (${point.channel})`;
  return language === "en"
    ? `${point.agent} sends ${point.data} to ${to}`
    : `${point.agent} 向 ${to} 发送 ${point.data}`;
}

/** A set of values of each label that stands for many points: a label that is absent may have any value. */
export type Region = Readonly<Partial<Record<LabelName, readonly ValueClass[]>>>;

/** `the data are secret, the host is none of a.example` */
export function sayRegion(region: Region, quotient: Quotient, language: Language): string {
  const parts = LABEL_NAMES.flatMap((label) => {
    const classes = region[label];
    return classes === undefined ? [] : [sayClasses(label, classes, quotient[label], language)];
  });
  if (parts.length === 0) return language === "en" ? "anything is sent" : "任何发送";
  return parts.join(language === "en" ? ", " : "，");
}

const MAX_NAMED = 6;

/** What is in, or, where all that has no name is in, what is not. */
function sayClasses(
  label: LabelName,
  classes: readonly ValueClass[],
  all: readonly ValueClass[],
  language: Language,
): string {
  if (!classes.some(({ isRest }) => isRest)) return sayLabel(label, shortened(classes, language), language);
  const others = all.filter((one) => !classes.includes(one));
  const [english, chinese] = NAMES[label];
  const values = shortened(others, language);
  if (label === "operatorLaw" && values.length === 1 && values[0] === "SELF")
    return language === "en" ? "somebody else runs the server" : "服务器由他人运营";
  return language === "en"
    ? `${english} none of ${values.join(", ")}`
    : `${chinese}${values.join("、")}以外的值`;
}

function shortened(classes: readonly ValueClass[], language: Language): Value[] {
  const named = classes.flatMap((one) => one.named);
  const more = named.length - MAX_NAMED;
  if (more <= 1) return named;
  return [...named.slice(0, MAX_NAMED), language === "en" ? `${more} more` : `另外 ${more} 个`];
}

/** The classes a point stands for, of the labels that the quotient tells apart at all. */
export function regionOf(point: Point, quotient: Quotient): Region {
  return Object.fromEntries(
    LABEL_NAMES.flatMap((label) => {
      const classes = quotient[label];
      const own = classes.find(({ sample }) => sample === point[label]);
      return classes.length > 1 && own !== undefined ? [[label, [own]]] : [];
    }),
  );
}
