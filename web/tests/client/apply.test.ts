import { describe, expect, test } from "vitest";

import { apply } from "../../src/client/apply";
import { fromSnapshot } from "../../src/client/snapshot";
import { activeRun, type Chat, EMPTY } from "../../src/client/state";
import { answered, log, snapshot } from "../support/events";

const START: Chat = fromSnapshot(EMPTY, snapshot());
const play = (events: ReturnType<typeof log>, from: Chat = START): Chat =>
  events.reduce(apply, from);

describe("one answered question", () => {
  const chat = play(log(answered("x", ["Hel", "lo"])));

  test("gives the question and its answer", () => {
    expect(chat.messages.map(({ role, text, status }) => ({ role, text, status }))).toEqual([
      { role: "user", text: "question x", status: "complete" },
      { role: "assistant", text: "Hello", status: "complete" },
    ]);
    expect(chat.messages[1]?.citations.map((citation) => citation.n)).toEqual([1]);
  });

  test("leaves the run's progress to look at", () => {
    const run = chat.runs["run-x"];
    expect(run).toMatchObject({ status: "completed", seconds: 1.5, questionId: "q-x" });
    expect(run?.memory).toMatchObject({ status: "anonymous", count: 0 });
    expect(run?.plan?.steps.map((step) => step.team)).toEqual(["search", "analysis"]);
    expect(run?.teams).toMatchObject([
      { name: "search", state: "failed", code: "timeout", text: "reading", fraction: 0.5 },
      { name: "analysis", state: "done", summary: "397.8" },
    ]);
    expect(activeRun(chat)).toBeNull();
  });

  test("moves the cursor to the last event", () => {
    expect(chat.cursor).toEqual({ epoch: "e1", offset: 18, key: "k18" });
  });
});

test("a replayed event gives the very same object", () => {
  const events = log(answered("x", ["Hel", "lo"]));
  const once = play(events);
  expect(events.reduce(apply, once)).toBe(once);
});

test("an event after a gap is not applied", () => {
  const events = log(answered("x", ["Hel", "lo"]));
  const held = play(events.slice(0, 3));
  expect(play(events.slice(4), held)).toBe(held);
});

test("nothing is applied before the first snapshot", () => {
  expect(play(log(answered("x", ["a"])), EMPTY)).toBe(EMPTY);
});

test("an unknown event only moves the cursor", () => {
  const chat = play(log([{ type: "from_the_future" }]));
  expect({ ...chat, cursor: START.cursor }).toEqual(START);
  expect(chat.cursor?.offset).toBe(1);
});

test("a merged delta counts for every event in it", () => {
  const events = log(answered("x", ["a", "b", "c", "d"]));
  const whole = play(events);
  const merged = { ...events[16], text: "bcd", chunk: 3, from: 16, from_chunk: 1, offset: 18 };
  const rest = events.slice(18);
  expect(play([...events.slice(0, 15), merged as never, ...rest])).toEqual(whole);
});

test("a merged delta after a gap is not applied", () => {
  const events = log(answered("x", ["a", "b", "c", "d"]));
  const held = play(events.slice(0, 15));
  const merged = { ...events[17], text: "cd", chunk: 3, from: 17, from_chunk: 2 };
  expect(apply(held, merged as never)).toBe(held);
});

const RUN = { run_id: "r", attempt: 1 };
const ANSWER = { ...RUN, message_id: "a" };

test("the whole text so far replaces what is held, and later pieces go on from it", () => {
  const chat = play(
    log([
      { type: "message_started", ...ANSWER },
      { type: "message_delta", ...ANSWER, chunk: 0, text: "Hal" },
      { type: "message_text", ...ANSWER, text: "Hello", chunk: 4 },
      { type: "message_delta", ...ANSWER, chunk: 5, text: "!" },
    ]),
  );
  expect(chat.messages[0]).toMatchObject({ text: "Hello!", status: "streaming" });
});

test("a new execution drops what an older one wrote, and an old one is not heard again", () => {
  const second = { ...ANSWER, attempt: 2 };
  const chat = play(
    log([
      { type: "run_started", ...RUN },
      { type: "message_started", ...ANSWER },
      { type: "message_delta", ...ANSWER, chunk: 0, text: "old" },
      { type: "run_resumed", run_id: "r", attempt: 2, reason: "lease_lapsed" },
      { type: "message_reset", ...second },
      { type: "message_delta", ...ANSWER, chunk: 1, text: "zombie" },
      { type: "message_delta", ...second, chunk: 0, text: "new" },
    ]),
  );
  expect(chat.messages[0]).toMatchObject({ text: "new", attempt: 2 });
  expect(chat.runs["r"]).toMatchObject({ attempt: 2, resumedBecause: "lease_lapsed" });
});

test("a missing piece tears the answer until its whole text comes", () => {
  const start = log([
    { type: "message_started", ...ANSWER },
    { type: "message_delta", ...ANSWER, chunk: 0, text: "one " },
    { type: "message_delta", ...ANSWER, chunk: 2, text: "three" },
    { type: "message_delta", ...ANSWER, chunk: 3, text: "four" },
  ]);
  const torn = play(start);
  expect(torn.messages[0]).toMatchObject({ text: "one ", isTorn: true });
  const end = log([{ type: "message_completed", ...ANSWER, text: "one two three", sha256: "" }], 5);
  expect(play(end, torn).messages[0]).toMatchObject({ text: "one two three", isTorn: false });
});

test("a run's end also ends an answer that got no last word", () => {
  const begin = [
    { type: "message_started", ...ANSWER },
    { type: "message_delta", ...ANSWER, chunk: 0, text: "part" },
  ];
  const stopped = play(log([...begin, { type: "run_cancelled", ...RUN }]));
  expect(stopped.messages[0]).toMatchObject({ text: "part", status: "stopped" });
  const failure = { type: "run_failed", ...RUN, code: "x", message: "m", retryable: false };
  expect(play(log([...begin, failure])).messages[0]).toMatchObject({ status: "failed" });
});

test("a run ends once: what comes after its end changes nothing but memory", () => {
  const ended = play(
    log([
      { type: "run_started", ...RUN },
      { type: "run_cancelled", ...RUN },
    ]),
  );
  const after = play(
    log(
      [
        { type: "run_completed", ...RUN, seconds: 1 },
        { type: "team_started", ...RUN, team: "late", task: "" },
        { type: "memory_saved", ...RUN, memory_count: 2 },
      ],
      3,
    ),
    ended,
  );
  expect(after.runs["r"]).toEqual({ ...ended.runs["r"], saved: { count: 2 } });
});

test("two teams of one name with two tasks are two", () => {
  const chat = play(
    log([
      { type: "team_started", ...RUN, team: "search", task: "first" },
      { type: "team_completed", ...RUN, team: "search", summary: "1", seconds: 1 },
      { type: "team_started", ...RUN, team: "search", task: "second" },
    ]),
  );
  expect(chat.runs["r"]?.teams).toMatchObject([
    { task: "first", state: "done" },
    { task: "second", state: "running" },
  ]);
});

test("the active run is the one at work, not the one that waits", () => {
  const chat = play(
    log([
      { type: "user_message", message_id: "1", client_message_id: null, text: "1", run_id: "r1" },
      { type: "user_message", message_id: "2", client_message_id: null, text: "2", run_id: "r2" },
      { type: "run_started", run_id: "r2", attempt: 1 },
    ]),
  );
  expect(activeRun(chat)?.id).toBe("r2");
});
