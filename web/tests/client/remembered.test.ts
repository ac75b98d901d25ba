import { expect, test } from "vitest";

import { MemoryStorage } from "../../src/client/environment";
import { Remembered } from "../../src/client/remembered";

const END = "2026-01-05T10:00:00.000Z";
const NOW = Date.parse(END);

test("a reload finds the chat and its session", () => {
  const storage = new MemoryStorage();
  new Remembered(storage).keep({ session_id: "s1", chat_id: "c1", expires_at: END });
  const later = new Remembered(storage);
  expect(later.lastChat).toBe("c1");
  expect(later.session("c1", NOW)).toMatchObject({ session_id: "s1" });
});

test("the token of a session is never written down", () => {
  const storage = new MemoryStorage();
  const session = { session_id: "s1", chat_id: "c1", token: "secret" };
  new Remembered(storage).keep(session);
  const written = Array.from({ length: storage.length }, (_, index) =>
    storage.getItem(storage.key(index) ?? ""),
  );
  expect(written.join()).not.toContain("secret");
});

test("a session that is long over is not tried", () => {
  const storage = new MemoryStorage();
  const remembered = new Remembered(storage);
  remembered.keep({ session_id: "s1", chat_id: "c1", expires_at: END });
  expect(remembered.session("c1", NOW + 60_000)).not.toBeNull();
  expect(remembered.session("c1", NOW + 3_600_000)).toBeNull();
});

test("fifty chats are remembered, the latest first", () => {
  const remembered = new Remembered(new MemoryStorage());
  for (let n = 0; n < 60; n += 1) remembered.keep({ session_id: `s${n}`, chat_id: `c${n}` });
  expect(remembered.session("c9", NOW)).toBeNull();
  expect(remembered.session("c10", NOW)).not.toBeNull();
  expect(remembered.lastChat).toBe("c59");
});

test("a draft belongs to its chat and goes when it is sent", () => {
  const storage = new MemoryStorage();
  const remembered = new Remembered(storage);
  remembered.keepDraft("c1", "half a thou");
  expect(new Remembered(storage).draft("c1")).toBe("half a thou");
  expect(remembered.draft("c2")).toBe("");
  remembered.keepDraft("c1", "");
  expect(storage.length).toBe(0);
});

test("a damaged memory is an empty one", () => {
  const storage = new MemoryStorage();
  storage.setItem("colloquy:sessions", '[{"session_id":1},null,"x"]');
  expect(new Remembered(storage).session("c1", NOW)).toBeNull();
  storage.setItem("colloquy:sessions", "{");
  expect(new Remembered(storage).session("c1", NOW)).toBeNull();
});
