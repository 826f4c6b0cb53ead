/** What the page calls a column's values: words for those that the product knows, their own names for the rest. */
import { useTranslation } from "react-i18next";
import type { FlowColumn, FlowNode } from "../../../api/flows.ts";
import { isVerdict } from "../../parts/verdict.tsx";

const CLASSES = ["none", "secret", "personal", "classified", "infrastructure", "injection"] as const;
const PLACES = ["US", "CN", "EU", "UK", "SG", "FR", "CH", "SELF", "OTHER", "unknown"] as const;

export function useFlowNames(): {
  readonly valueName: (column: FlowColumn, name: string) => string;
  readonly nodeName: (node: Pick<FlowNode, "column" | "name" | "names">) => string;
} {
  const { t } = useTranslation("flows");
  const valueName = (column: FlowColumn, name: string): string => {
    if (column === "verdict" && isVerdict(name)) return t(`frame:verdict.${name}`);
    if (column === "class") {
      const known = CLASSES.find((one) => one === name);
      if (known !== undefined) return t(`class.${known}`);
    }
    if (column === "jurisdiction")
      return name
        .split("+")
        .map((law) => {
          const known = PLACES.find((one) => one === law);
          return known === undefined ? law : t(`place.${known}`);
        })
        .join(" + ");
    return name;
  };
  return {
    valueName,
    nodeName: ({ column, name, names }) =>
      name === null ? t("others", { count: names }) : valueName(column, name),
  };
}
