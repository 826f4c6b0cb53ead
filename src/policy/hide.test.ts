import { expect, test } from "vitest";
import { isHidden } from "./hide.ts";

test.each<[pattern: string, path: string, hidden: boolean]>([
  [".env", ".env", true],
  [".env", "packages/a/.env", true],
  [".env", ".env/inside", true],
  [".env", ".env.example", false],
  [".env.*.local", ".env.test.local", true],
  [".env.*.local", ".env.local", false],
  ["*.tfstate", "infra/prod.tfstate", true],
  ["*.tfstate", "infra/tfstate", false],
  ["secrets/prod", "secrets/prod/key", true],
  ["secrets/prod", "a/secrets/prod", false],
  ["**/prod/*.pem", "prod/a.pem", true],
  ["**/prod/*.pem", "a/b/prod/a.pem", true],
  ["**/prod/*.pem", "a/b/prod/c/a.pem", false],
  ["config/**/key", "config/key", true],
  ["config/**/key", "config/a/b/key", true],
  [".env.*.local", ".env.test.example", false],
  ["secrets/*", "secrets", false],
  ["secrets/*", "secrets/a", true],
  ["a*b*c", "aXbYc", true],
  ["a*b*c", "acb", false],
  ["*aa*aa", "aaa", false],
])("%s, %s: %s", (pattern, path, hidden) => {
  expect(isHidden([pattern], path)).toBe(hidden);
});

test("a pattern made to be slow is not", () => {
  const pattern = `${"**/*a*".repeat(60)}/x`;
  const path = `${"a/".repeat(400)}y`;
  const before = process.cpuUsage();
  isHidden([pattern], path);
  expect(process.cpuUsage(before).user).toBeLessThan(2_000_000);
});
