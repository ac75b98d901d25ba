import table from "@protocol/close_codes.json";
import { expect, test } from "vitest";

import { actionFor, nameOf, reasonFields } from "../../src/client/close-codes";

test.each(table.codes)("$code $name: $action, as the server's table says", (row) => {
  expect(actionFor(row.code)).toBe(row.action);
  expect(nameOf(row.code)).toBe(row.name);
});

test("a code that is not in the table follows its hundred", () => {
  expect([4042, 4142, 4242, 4342, 1006, 1012].map(actionFor)).toEqual([
    "stop",
    "backoff",
    "now",
    "backoff",
    "backoff",
    "backoff",
  ]);
  expect(nameOf(4042)).toBe("closed");
});

test("a reason that is not a small JSON object says nothing", () => {
  expect(reasonFields('{"delay_ms":1500}')).toEqual({ delay_ms: 1500 });
  expect(reasonFields('{"retry_after_ms":20}')).toEqual({ retry_after_ms: 20 });
  for (const reason of ["", "draining", "null", "[]", '{"delay_ms":"soon"}', '{"delay_ms":-1}']) {
    expect(reasonFields(reason)).toEqual({});
  }
});
