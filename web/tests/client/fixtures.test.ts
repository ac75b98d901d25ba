/** The server's golden examples: what it sends is what this client reads. */
import control from "@protocol/fixtures/control.json";
import events from "@protocol/fixtures/events.json";
import frames from "@protocol/fixtures/frames.json";
import { expect, test } from "vitest";

import { apply } from "../../src/client/apply";
import { ColloquyClient } from "../../src/client/client";
import { type ChatEvent, isEvent, parseFrame, type SnapshotFrame } from "../../src/client/protocol";
import { fromSnapshot } from "../../src/client/snapshot";
import { type Chat, EMPTY } from "../../src/client/state";
import { World } from "../support/world";

const read = (value: object): NonNullable<ReturnType<typeof parseFrame>> => {
  const frame = parseFrame(JSON.stringify(value));
  if (frame === null) throw new Error(`unreadable: ${JSON.stringify(value)}`);
  return frame;
};
const shown = read(control.find((frame) => frame.type === "snapshot") ?? {}) as SnapshotFrame;

test.each(events.map((event) => [event.type, event] as const))("%s is an event", (_type, event) => {
  expect(isEvent(read(event))).toBe(true);
});

test.each(control.map((frame) => [frame.type, frame] as const))(
  "%s is a control frame",
  (_type, frame) => {
    expect(isEvent(read(frame))).toBe(false);
  },
);

test("each golden event is applied, in its order", () => {
  const start: Chat = { ...EMPTY, cursor: { epoch: "e", offset: 0, key: null } };
  const all = events.map((event) => read(event) as ChatEvent);
  const chat = all.reduce((held, event) => {
    const next = apply(held, event);
    expect(next.cursor?.offset).toBe(event.offset);
    return next;
  }, start);
  expect(chat.messages.map(({ role, text, status }) => ({ role, text, status }))).toEqual([
    { role: "user", text: "What is 17% of 2,340?", status: "complete" },
    { role: "assistant", text: "17% of 2,340 is **397.8**. [1]", status: "complete" },
  ]);
  const run = Object.values(chat.runs)[0];
  expect(run).toMatchObject({ status: "completed", seconds: 1.234, resumedBecause: "owner_lost" });
  expect(run?.teams).toMatchObject([
    { name: "analysis", state: "done", summary: "397.8" },
    { name: "search", state: "failed", code: "team_timeout" },
  ]);
});

test("the golden snapshot shows its open run and the words so far", () => {
  const chat = fromSnapshot(EMPTY, shown);
  expect(chat.messages.at(-1)).toMatchObject({ text: "17% of 2,340 ", status: "streaming" });
  const run = shown.runs[0]?.run_id ?? "";
  expect(chat.runs[run]).toMatchObject({ status: "running", attempt: 1 });
});

test("what the client sends has the shape of the golden frames", () => {
  const world = new World();
  const client = new ColloquyClient({ baseUrl: "http://s", environment: world.environment });
  client.use({ session_id: "session-1", chat_id: shown.chat.chat_id });
  client.connect();
  world.socket.open();
  for (const frame of control) {
    if (frame.type === "welcome") world.socket.say({ ...frame, resumed: false });
  }
  world.socket.say({ ...shown }, { type: "live", offset: shown.offset });
  client.send("Hello");
  client.cancel();
  client.probe();
  world.socket.say({ type: "ping" });
  const known = new Map<string, Set<string>>();
  for (const frame of frames) {
    const fields = known.get(frame.type) ?? new Set();
    for (const field of Object.keys(frame)) fields.add(field);
    known.set(frame.type, fields);
  }
  const sent = world.socket.sent;
  expect(new Set(sent.map((frame) => frame["type"]))).toEqual(
    new Set(["hello", "query", "cancel", "ping", "pong"]),
  );
  for (const frame of sent) {
    for (const field of Object.keys(frame)) {
      expect(known.get(String(frame["type"]))).toContain(field);
    }
  }
});
