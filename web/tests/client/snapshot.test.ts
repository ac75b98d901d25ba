import { expect, test } from "vitest";

import { apply } from "../../src/client/apply";
import { fromSnapshot } from "../../src/client/snapshot";
import { EMPTY } from "../../src/client/state";
import { answered, log, snapshot, stored } from "../support/events";

const START = fromSnapshot(EMPTY, snapshot());

test("older pages that lead up to the snapshot are kept", () => {
  const held = fromSnapshot(
    EMPTY,
    snapshot({ messages: [stored("m1"), stored("m2"), stored("m3")], has_more: false }),
  );
  const later = fromSnapshot(
    held,
    snapshot({ messages: [stored("m3"), stored("m4")], has_more: true }),
  );
  expect(later.messages.map((message) => message.id)).toEqual(["m1", "m2", "m3", "m4"]);
  expect(later.hasMore).toBe(false);
});

test("pages that do not touch the snapshot are dropped: something may be missing between", () => {
  const held = fromSnapshot(EMPTY, snapshot({ messages: [stored("m1")] }));
  const later = fromSnapshot(held, snapshot({ messages: [stored("m9")], has_more: true }));
  expect(later.messages.map((message) => message.id)).toEqual(["m9"]);
  expect(later.hasMore).toBe(true);
});

test("another chat's snapshot keeps nothing", () => {
  const held = log(answered("x", ["a"])).reduce(apply, START);
  const other = fromSnapshot(held, snapshot({ chat: { chat_id: "chat-2", title: "B" } }));
  expect(other).toMatchObject({ chatId: "chat-2", title: "B", messages: [], runs: {} });
});

test("a run that ended unseen ends as its answer says", () => {
  const held = log(answered("x", ["a"]).slice(0, 15)).reduce(apply, START);
  const answer = stored("a-x", { role: "assistant", status: "stopped", run_id: "run-x" });
  const later = fromSnapshot(held, snapshot({ messages: [stored("q-x"), answer] }));
  expect(later.runs["run-x"]).toMatchObject({ status: "cancelled" });
});

test("an open run shows its progress and its words so far", () => {
  const events = log(answered("x", ["a"]).slice(2, 9)) as never[];
  const chat = fromSnapshot(
    EMPTY,
    snapshot({
      messages: [stored("q-x", { run_id: "run-x" })],
      runs: [
        {
          run_id: "run-x",
          message_id: "q-x",
          status: "running",
          attempt: 1,
          events,
          partial: { message_id: "a-x", text: "so far", chunk: 7 },
        },
      ],
    }),
  );
  expect(chat.runs["run-x"]).toMatchObject({ status: "running", phase: "answering" });
  expect(chat.runs["run-x"]?.teams).toHaveLength(2);
  expect(chat.messages[1]).toMatchObject({ text: "so far", status: "streaming", chunk: 7 });
});

test("words that a newer snapshot already shows are not written twice", () => {
  const events = log(answered("x", ["a", "b", "c"]));
  const held = fromSnapshot(
    EMPTY,
    snapshot({
      offset: 14,
      runs: [
        {
          run_id: "run-x",
          message_id: "q-x",
          status: "running",
          attempt: 1,
          events: [],
          partial: { message_id: "a-x", text: "ab", chunk: 1 },
        },
      ],
    }),
  );
  const chat = events.slice(14, 17).reduce(apply, held);
  expect(chat.messages[0]).toMatchObject({ text: "abc", isTorn: false });
});

test("a run that failed or was stopped without a word is known to have", () => {
  const chat = fromSnapshot(
    EMPTY,
    snapshot({
      messages: [stored("q1", { run_id: "r1" }), stored("q2", { run_id: "r2" })],
      ended: [
        { run_id: "r1", status: "failed", code: "run_timeout" },
        { run_id: "r2", status: "cancelled", code: null },
      ],
    }),
  );
  expect(chat.runs["r1"]).toMatchObject({
    status: "failed",
    questionId: "q1",
    error: { code: "run_timeout", isRetryable: true },
  });
  expect(chat.runs["r2"]).toMatchObject({ status: "cancelled", error: null });
});

test("a run whose end was seen keeps what was seen of it", () => {
  const held = log(answered("x", ["a"], "failed")).reduce(apply, START);
  const ended = [{ run_id: "run-x", status: "failed" as const, code: "internal" }];
  const later = fromSnapshot(held, snapshot({ messages: [stored("q-x")], ended }));
  expect(later.runs["run-x"]).toBe(held.runs["run-x"]);
});
