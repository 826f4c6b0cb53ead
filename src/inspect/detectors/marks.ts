/**
 * Marks by which people classify what they write. A mark counts where a mark stands: at the start of a line, a comment
 * or a heading, not in the middle of a sentence that talks about confidentiality.
 */
import { type Family, OWN_LICENCE } from "../detector.ts";

/** The start of a line, behind whatever a comment, a heading, a table, a tool's line number or quoting puts there. */
const LINE_START = "(?<=(?:^|\\n|\\\\n)[ \\t]{0,40}(?:\\d{1,6}[:\\t|→-])?[ \\t\\/*#;<!>|=_\\[({\"'%-]{0,40})";
const MARK_END = "(?=[ \\t]{0,40}(?:[\\])}>*#=_\"'.:;!|-]|\\/\\*|\\*\\/|$|\\r?\\n|\\\\n))";

export const MARKS: Family = {
  name: "classification marks",
  written: "2026-11-20",
  licence: OWN_LICENCE,
  detectors: [
    {
      id: "mark-government",
      class: "classified",
      title: "Government classification banner or portion",
      source: "https://www.archives.gov/isoo/training/marking-booklet.pdf",
      anchors: ["top secret//", "secret//", "confidential//", "ts//"],
      pattern: /(?<![A-Za-z0-9])(?:TOP SECRET|SECRET|CONFIDENTIAL|TS)\/\/(?:[A-Z]{2}[A-Z0-9 ,/-]{0,60})/,
      examples: ["TOP SECRET//SI//NOFORN"],
      counterexamples: ["secret//path", "the top secret // comment"],
    },
    {
      id: "mark-cui",
      class: "classified",
      title: "Controlled Unclassified Information",
      source: "https://www.archives.gov/cui/registry/category-list",
      anchors: ["cui/", "controlled/"],
      pattern: /(?<![A-Za-z0-9])(?:CUI|CONTROLLED)\/(?:\/[A-Z-]{2,16}){1,8}/,
      examples: ["CUI//SP-CTI//NOFORN", "CONTROLLED//PRVCY"],
      counterexamples: ["gui//x", "CUI/ folder"],
    },
    {
      id: "mark-confidential",
      class: "classified",
      title: "Confidential, restricted, internal or proprietary mark",
      source: "https://www.iso.org/standard/75652.html (ISO/IEC 27002, 5.13 labelling of information)",
      anchors: [
        "confidential",
        "strictly confidential",
        "company confidential",
        "highly confidential",
        "internal use only",
        "internal only",
        "proprietary and",
        "proprietary & ",
        "company secret",
        "restricted",
      ],
      pattern: new RegExp(
        `${LINE_START}(?:(?:STRICTLY |COMPANY |HIGHLY |Strictly |Company |Highly )?(?:CONFIDENTIAL|Confidential)(?: (?:AND|and|&) (?:PROPRIETARY|Proprietary))?|(?:PROPRIETARY|Proprietary)(?: (?:AND|and|&) (?:CONFIDENTIAL|Confidential))|RESTRICTED(?: DATA)?|(?:INTERNAL|Internal) (?:USE )?(?:ONLY|Only)|COMPANY SECRET)${MARK_END}`,
      ),
      examples: [
        "// CONFIDENTIAL\n",
        "# Company Confidential - do not forward",
        "/* PROPRIETARY AND CONFIDENTIAL */",
      ],
      counterexamples: ["this keeps data confidential.", "const restricted = 1", "confidential: true"],
    },
    {
      id: "mark-chinese",
      class: "classified",
      title: "Chinese classification mark",
      source: "http://www.gov.cn/ (保守国家秘密法, 国家秘密定密管理暂行规定)",
      anchors: [
        "机密★",
        "绝密★",
        "秘密★",
        "内部资料",
        "商业秘密",
        "内部文件",
        "【机密】",
        "[机密]",
        "(机密)",
        "（机密）",
        "密级:",
        "密级：",
      ],
      pattern:
        /(?:[机绝秘]密★|【[机绝秘]密】|[[(（][机绝秘]密[\])）]|密级[:：]\s{0,2}(?:机密|绝密|秘密|内部)|内部(?:资料|文件)(?:[,，\s]{0,2}(?:注意保存|不得外传|严禁外传|请勿外传|注意保密))|商业秘密(?:[,，\s]{0,2}(?:严禁|不得|请勿)))/,
      examples: ["机密★10年", "内部资料 严禁外传", "密级：机密"],
      counterexamples: ["机器密码", "内部资料库", "保护商业秘密的法律"],
    },
    {
      id: "mark-export-control",
      class: "classified",
      title: "Export control notice (ITAR, EAR)",
      source: "https://www.ecfr.gov/current/title-22/chapter-I/subchapter-M",
      anchors: ["itar ", "itar-", "export controlled", "eccn ", "eccn:"],
      pattern:
        /(?:(?<![A-Za-z])ITAR[ -](?:CONTROLLED|RESTRICTED|Controlled|Restricted)|(?:EXPORT CONTROL|Export Control)(?:LED|led) (?:INFORMATION|Information|TECHNICAL DATA|Technical Data|DATA|Data)|ECCN[: ]{1,2}[0-9][A-E][0-9]{3})/,
      examples: ["ECCN: 5E002", "ITAR CONTROLLED"],
      counterexamples: ["guitar controlled", "export controller from"],
    },
    {
      id: "mark-licence",
      class: "classified",
      title: "Proprietary licence header",
      source: "https://spdx.github.io/spdx-spec/v2.3/using-SPDX-short-identifiers-in-source-files/",
      anchors: [
        "spdx-license-identifier: licenseref-",
        "unauthorized copying",
        "all rights reserved. proprietary",
      ],
      pattern:
        /(?:SPDX-License-Identifier: LicenseRef-[A-Za-z0-9.-]{2,60}|(?:Unauthorized|UNAUTHORIZED) (?:copying|COPYING)[^\n]{0,60}(?:strictly|STRICTLY) (?:prohibited|PROHIBITED)|[Aa]ll [Rr]ights [Rr]eserved\. (?:Proprietary|PROPRIETARY))/,
      examples: [
        "SPDX-License-Identifier: LicenseRef-Fake-Proprietary",
        "Unauthorized copying of this file is strictly prohibited",
      ],
      counterexamples: ["SPDX-License-Identifier: MIT", "unauthorized copying is a crime"],
    },
  ],
};
