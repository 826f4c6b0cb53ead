import { expect, test } from "vitest";
import { languageFrom } from "./language.ts";

test.each([
  [{}, "en"],
  [{ LANG: "C.UTF-8" }, "en"],
  [{ LANG: "zh_CN.UTF-8" }, "zh-CN"],
  [{ LANG: "zh" }, "zh-CN"],
  [{ LANG: "zh-Hans" }, "zh-CN"],
  [{ LANG: "zh_SG" }, "zh-CN"],
  [{ LANG: "zh_TW.UTF-8" }, "en"],
  [{ LANG: "zh_HK" }, "en"],
  [{ LANG: "zhuang" }, "en"],
  [{ LANG: "en_US.UTF-8", LC_ALL: "zh_CN.UTF-8" }, "zh-CN"],
  [{ LANG: "zh_CN.UTF-8", LC_MESSAGES: "en_US" }, "en"],
  [{ LANG: "zh_CN.UTF-8", LC_ALL: "" }, "zh-CN"],
])("%j reads %s", (environment, language) => {
  expect(languageFrom(environment)).toBe(language);
});
