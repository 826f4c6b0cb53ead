import { describe, expect, it, test } from "vitest";
import { csvOf, jsonOf } from "./table-export.ts";

describe("a table as a file", () => {
  test.each(["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1"])(
    "%j is no formula in a spreadsheet",
    (text) => {
      expect(csvOf(["a"], [[text]])).toContain(`'${text}`);
    },
  );

  it("quotes what would end a cell or a row", () => {
    expect(
      csvOf(
        ["a", "b"],
        [
          ['say "hi"', "x,y"],
          [null, -3],
        ],
      ),
    ).toBe('\ufeffa,b\r\n"say ""hi""","x,y"\r\n,-3\r\n');
  });

  it("gives JSON by column names", () => {
    expect(JSON.parse(jsonOf(["a", "b"], [["=1", 2]]))).toEqual([{ a: "=1", b: 2 }]);
  });
});
