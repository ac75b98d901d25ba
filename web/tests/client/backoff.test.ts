import fc from "fast-check";
import { expect, test } from "vitest";

import { backoffMs } from "../../src/client/backoff";

test("the bound doubles from half a second to twenty", () => {
  const bounds = [0, 1, 2, 3, 4, 5, 6, 99].map((failures) => backoffMs(failures, () => 1));
  expect(bounds).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]);
});

test("the jitter is full: any wait from zero to the bound", () => {
  fc.assert(
    fc.property(fc.nat(1000), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
      const wait = backoffMs(failures, () => random);
      expect(wait).toBeCloseTo(random * backoffMs(failures, () => 1), 6);
      expect(wait).toBeLessThanOrEqual(20_000);
    }),
  );
});
