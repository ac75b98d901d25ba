import fc from "fast-check";
import { expect, test } from "vitest";

import { MemoryStorage, type StorageLike } from "../../src/client/environment";
import { Outbox } from "../../src/client/outbox";

const texts = (outbox: Outbox): string[] => outbox.entries.map((entry) => entry.text);

test("unsent messages survive a reload, in order", () => {
  const storage = new MemoryStorage();
  const before = new Outbox(storage, "chat-1");
  before.add("b", "first", 10);
  before.add("a", "second", 10);
  before.add("c", "third", 11);
  expect(texts(new Outbox(storage, "chat-1"))).toEqual(["first", "second", "third"]);
});

test("chats do not see each other's messages", () => {
  const storage = new MemoryStorage();
  new Outbox(storage, "chat-1").add("a", "one", 1);
  expect(texts(new Outbox(storage, "chat-2"))).toEqual([]);
});

test("two tabs that write at the same time both keep what they wrote", () => {
  const storage = new MemoryStorage();
  const [left, right] = [new Outbox(storage, "chat-1"), new Outbox(storage, "chat-1")];
  left.add("l", "left", 1);
  right.add("r", "right", 2);
  left.remove("l");
  expect(texts(new Outbox(storage, "chat-1"))).toEqual(["right"]);
});

test("a refused message is kept with the reason until it is tried again", () => {
  const storage = new MemoryStorage();
  const outbox = new Outbox(storage, "chat-1");
  outbox.add("a", "too long", 1);
  outbox.refuse("a", { code: "text_too_long", message: "Too long." });
  expect(new Outbox(storage, "chat-1").entries[0]?.refused?.code).toBe("text_too_long");
  outbox.retry("a");
  expect(new Outbox(storage, "chat-1").entries[0]?.refused).toBeUndefined();
});

test("messages move to another chat", () => {
  const storage = new MemoryStorage();
  const [from, to] = [new Outbox(storage, "old"), new Outbox(storage, "new")];
  from.add("a", "one", 1);
  from.add("b", "two", 2);
  from.moveTo(to);
  expect(texts(new Outbox(storage, "old"))).toEqual([]);
  expect(texts(new Outbox(storage, "new"))).toEqual(["one", "two"]);
});

test("what others left in the storage is skipped", () => {
  const storage = new MemoryStorage();
  storage.setItem("colloquy:outbox:chat-1:x", "{broken");
  storage.setItem("colloquy:outbox:chat-1:y", "null");
  storage.setItem("unrelated", "1");
  expect(new Outbox(storage, "chat-1").entries).toEqual([]);
});

test("a storage that is full or denied costs only the reload", () => {
  const refuse = (): never => {
    throw new Error("QuotaExceededError");
  };
  const denied: StorageLike = {
    get length(): number {
      return refuse();
    },
    key: refuse,
    getItem: refuse,
    setItem: refuse,
    removeItem: refuse,
  };
  const outbox = new Outbox(denied, "chat-1");
  outbox.add("a", "kept in memory", 1);
  expect(texts(outbox)).toEqual(["kept in memory"]);
});

test("after any use a reload shows what was held", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("add"), id: fc.nat(5) }),
    fc.record({ do: fc.constantFrom("remove", "refuse", "retry"), id: fc.nat(5) }),
  );
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const storage = new MemoryStorage();
      const outbox = new Outbox(storage, "chat-1");
      steps.forEach(({ do: action, id }, at) => {
        const key = String(id);
        if (action === "add") outbox.add(key, `text ${id}`, at);
        else if (action === "remove") outbox.remove(key);
        else if (action === "refuse") outbox.refuse(key, { code: "c", message: "m" });
        else outbox.retry(key);
      });
      expect(new Outbox(storage, "chat-1").entries).toEqual(outbox.entries);
    }),
  );
});
