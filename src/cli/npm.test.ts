import { expect, test } from "vitest";
import { machinePath } from "./npm.ts";

test.each([
  ["/home/ada/app/node_modules/.bin:/node_modules/.bin:/usr/bin:/bin", "/usr/bin:/bin"],
  ["/usr/bin", "/usr/bin"],
  ["", ""],
  ["/opt/node_modules/.bin-of-mine:node_modules/.bin/:/bin", "/opt/node_modules/.bin-of-mine:/bin"],
])("npm runs under the machine's node, not a package's: %s", (path, expected) => {
  expect(machinePath(path)).toBe(expected);
});
