/** What is shown and said about a chat. */
import { describe, expect, test } from "vitest";

import { apply } from "../../src/client/apply";
import type { View } from "../../src/client/view";
import type { Status } from "../../src/client/connection";
import { fromSnapshot } from "../../src/client/snapshot";
import { type Chat, EMPTY, type Run } from "../../src/client/state";
import { aboutConnection, announcements } from "../../src/ui/announce";
import { statusWords } from "../../src/ui/status-words";
import { stepsOf, summaryOf } from "../../src/ui/steps";
import { turnsOf } from "../../src/ui/turns";
import { answered, log, snapshot } from "../support/events";

const START = fromSnapshot(EMPTY, snapshot());
const play = (events: ReturnType<typeof log>, from: Chat = START): Chat =>
  events.reduce(apply, from);
const runOf = (chat: Chat): Run => {
  const run = Object.values(chat.runs)[0];
  if (run === undefined) throw new Error("no run");
  return run;
};

describe("turns", () => {
  test("an answer stands with its question, whatever came between", () => {
    const first = answered("1", ["a"]);
    const second = answered("2", ["b"]);
    const chat = play(
      log([...first.slice(0, 3), ...second.slice(0, 2), ...first.slice(3), ...second.slice(2)]),
    );
    expect(
      turnsOf(chat).map(({ question, answers }) => [question?.text, answers.map((a) => a.text)]),
    ).toEqual([
      ["question 1", ["a"]],
      ["question 2", ["b"]],
    ]);
  });

  test("what did not change is the same object, so it is not drawn again", () => {
    const events = log([...answered("1", ["a"]), ...answered("2", ["b", "c"])]);
    const held = play(events.slice(0, -3));
    const whole = play(events.slice(-3), held);
    const before = turnsOf(held);
    const after = turnsOf(whole, before);
    expect(after[0]).toBe(before[0]);
    expect(after[1]).not.toBe(before[1]);
    expect(turnsOf(whole, after)).toBe(after);
  });

  test("an answer whose question is on an older page stands alone", () => {
    const chat = fromSnapshot(
      EMPTY,
      snapshot({ messages: [{ message_id: "a", role: "assistant", text: "x", run_id: "r" }] }),
    );
    expect(turnsOf(chat)).toMatchObject([{ question: null, answers: [{ text: "x" }] }]);
  });
});

describe("the progress rail", () => {
  const events = log(answered("x", ["a"]));
  const at = (count: number): Run => runOf(play(events.slice(0, count)));

  test("says in one line what is being done", () => {
    const lines = [2, 3, 5, 8, 10, 12, 15].map((count) => summaryOf(at(count), 0, false));
    expect(lines).toEqual([
      "Waiting for its turn",
      "Starting",
      "Planning",
      "At work: Search, Analysis",
      "At work: Search",
      "Putting the results together",
      "Answering · Analysis",
    ]);
    expect(summaryOf(at(17), 1, false)).toBe("Answered · Analysis · 1\u00a0source · 1.5\u00a0s");
  });

  test("keeps the steps, says what failed and that it goes on", () => {
    expect(stepsOf(at(17)).map(({ state, label }) => [state, label])).toEqual([
      ["done", "No memory: you are not signed in"],
      ["done", "Plan"],
      ["failed", "Search failed (timeout). The answer goes on without it."],
      ["done", "Analysis"],
    ]);
  });

  test("a step that was under way at the end is not shown as under way", () => {
    const stopped = play(
      log([
        ...answered("x", ["a"]).slice(0, 8),
        { type: "run_cancelled", run_id: "run-x", attempt: 1 },
      ]),
    );
    const states = stepsOf(runOf(stopped)).map((step) => step.state);
    expect(states).toEqual(["done", "done", "skipped", "skipped"]);
  });
});

describe("a screen reader", () => {
  const events = log(answered("x", ["The **an", "swer** [1]."]));
  const steps = events.map((_, at) => play(events.slice(0, at + 1)));
  const said = steps.flatMap((chat, at) => announcements(steps[at - 1] ?? START, chat));

  test("hears steps and the finished answer, and no single words", () => {
    expect(said).toEqual([
      "Working on it.",
      "Plan ready: Search, Analysis.",
      "Analysis finished.",
      "Answer: The answer .",
    ]);
  });

  test("hears nothing about a chat that was just opened", () => {
    expect(announcements(EMPTY, play(events))).toEqual([]);
  });

  test("hears a long answer's beginning and where the rest is", () => {
    const long = log(answered("x", ["word ".repeat(500)]));
    const heard = announcements(play(long.slice(0, -1)), play(long));
    expect(heard[0]).toHaveLength("Answer:  … The rest is in the conversation.".length + 600);
  });

  test("hears that a run stopped or failed, and what to do", () => {
    for (const [end, words] of [
      ["stopped", "Stopped. What was written so far is kept."],
      ["failed", "The answer failed. Something went wrong on the server. You can ask again."],
    ] as const) {
      const all = log(answered("x", ["a"], end));
      expect(announcements(play(all.slice(0, -1)), play(all))).toEqual([words]);
    }
  });

  test("hears that the connection went and came back, once each", () => {
    const live: Status = { kind: "live" };
    const waiting: Status = { kind: "waiting", retryAt: 0, code: 1006 };
    const connecting: Status = { kind: "connecting" };
    expect(aboutConnection(live, waiting, false)).toBe("Connection lost. Trying again.");
    expect(aboutConnection(waiting, connecting, true)).toBeNull();
    expect(aboutConnection(connecting, live, true)).toBe("Connected again.");
    expect(aboutConnection(connecting, live, false)).toBeNull();
  });
});

describe("the status line", () => {
  const words = (status: Status, fields: Partial<View> = {}, isOnline = true): string | null => {
    const view: View = {
      chat: EMPTY,
      status,
      session: null,
      expiresAt: null,
      endsAt: null,
      unsent: [],
      stopping: [],
      limits: {},
      ...fields,
    };
    const line = statusWords({ view, isOnline }, 1_000, true, false);
    return line === null ? null : `${line.text} [${line.action?.what ?? ""}]`;
  };

  test("is empty while all is well", () => {
    expect(words({ kind: "live" })).toBeNull();
  });

  test("counts down to the next try, or says that one is offline", () => {
    const waiting: Status = { kind: "waiting", retryAt: 5_200, code: 1006 };
    expect(words(waiting)).toBe("Connection lost. Trying again in 5 s. [try]");
    expect(words(waiting, {}, false)).toContain("You are offline.");
  });

  test("warns before a session ends", () => {
    expect(words({ kind: "live" }, { endsAt: 241_000 })).toBe(
      "This session ends in 4 minutes. [extend]",
    );
  });

  test.each([
    [4004, "This session has ended. Your draft is kept. [restart]"],
    [4010, "This session has ended. Your draft is kept. [restart]"],
    [4029, "This chat is open in too many tabs. [restart]"],
    [4001, "This chat cannot be opened from here. [restart]"],
    [4005, "This page is out of date. [reload]"],
    [4009, "The connection was closed (x). [reconnect]"],
    [0, "The connection was closed (x). [restart]"],
  ])("after %i offers the way on", (code, line) => {
    expect(words({ kind: "ended", code, name: "x" })).toBe(line);
  });
});
