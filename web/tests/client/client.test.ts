import { beforeEach, describe, expect, test } from "vitest";

import { ColloquyClient } from "../../src/client/client";
import { answered, log, snapshot, stored, welcome } from "../support/events";
import { type FakeSocket, World } from "../support/world";

let world: World;
let client: ColloquyClient;

const session = (id: string, chat = "chat-1"): object => ({
  session_id: `session-${id}`,
  chat_id: chat,
  agent: "supervisor",
  user_id: null,
  created_at: "",
  expires_at: "2026-01-06T10:00:00.000Z",
  ttl_seconds: 86_400,
  ws_path: `/ws/session-${id}`,
  token: `token-${id}`,
  protocol: "colloquy.v1",
});

const newClient = (): ColloquyClient =>
  new ColloquyClient({ baseUrl: "https://server", environment: world.environment });

const goLive = (frames: object[] = [snapshot()], fields: Record<string, unknown> = {}): void => {
  world.socket.open();
  world.socket.say(welcome(fields), ...frames, { type: "live", offset: 0 });
};

beforeEach(async () => {
  world = new World();
  let count = 0;
  world.answer = () => ({ status: 201, body: session(String((count += 1))) });
  client = newClient();
  await client.start();
  client.connect();
});

describe("starting", () => {
  test("posts once and opens the socket of the session", () => {
    expect(world.requests).toMatchObject([{ method: "POST", url: "https://server/chat/start" }]);
    expect(world.socket.url).toBe("wss://server/ws/session-1");
  });

  test("tries again with the same key while the server is away", async () => {
    world = new World();
    let tries = 0;
    world.answer = () => {
      tries += 1;
      if (tries === 1) throw new TypeError("Failed to fetch");
      if (tries === 2) return { status: 503, body: { error: { code: "draining", message: "" } } };
      return { status: 201, body: session("1") };
    };
    const started = newClient().start();
    for (const _ of [1, 2, 3]) {
      await world.settle();
      world.pass(20_000);
    }
    expect((await started).session_id).toBe("session-1");
    const keys = world.requests.map((request) => request.headers["Idempotency-Key"]);
    expect(new Set(keys).size).toBe(1);
    expect(keys).toHaveLength(3);
  });

  test("a refusal is final and says why", async () => {
    world = new World();
    world.answer = () => ({
      status: 404,
      body: { error: { code: "chat_not_found", message: "No such chat." } },
    });
    const refused = newClient();
    await expect(refused.start({ chat_id: "x" })).rejects.toMatchObject({ code: "chat_not_found" });
    expect(refused.view.status).toEqual({ kind: "ended", code: 0, name: "chat_not_found" });
  });

  test("outside browsers the session's token speaks for the caller", async () => {
    const other = new ColloquyClient({
      baseUrl: "https://server",
      credential: "token",
      environment: world.environment,
    });
    await other.start();
    world.answer = () => ({ status: 200, body: { conversations: [], next: null } });
    await other.api.conversations(null, 10);
    expect(world.requests.at(-1)?.headers["Authorization"]).toBe("Bearer token-2");
  });
});

describe("resuming", () => {
  test("the first hello has no position; later ones name the last event applied", () => {
    goLive();
    expect(world.socket.sent[0]).not.toHaveProperty("after");
    world.socket.say(...log(answered("x", ["a"]).slice(0, 4)));
    world.socket.end(1006);
    world.pass(1_000);
    world.socket.open();
    expect(world.socket.sent[0]).toMatchObject({
      type: "hello",
      after: { epoch: "e1", offset: 4, key: "k4" },
    });
  });

  test("the missed events come, some of them twice, and the chat is whole", () => {
    const events = log(answered("x", ["Hel", "lo"]));
    goLive();
    world.socket.say(...events.slice(0, 15));
    world.socket.end(4200, "{}");
    world.pass(1_000);
    world.socket.open();
    world.socket.say(welcome({ resumed: true }), ...events.slice(12), { type: "live", offset: 18 });
    expect(client.view.chat.messages[1]).toMatchObject({ text: "Hello", status: "complete" });
    expect(client.view.status.kind).toBe("live");
  });

  test("a gap is never hidden: it comes back and fetches what is missing", () => {
    const events = log(answered("x", ["a"]));
    goLive();
    world.socket.say(...events.slice(0, 3), ...events.slice(5, 6));
    expect(client.view.chat.cursor?.offset).toBe(3);
    expect(client.view.status.kind).toBe("waiting");
    world.pass(1_000);
    world.socket.open();
    expect(world.socket.sent[0]).toMatchObject({ after: { offset: 3 } });
  });

  test("an answer whose pieces do not fit is fetched as a snapshot", () => {
    const run = { run_id: "r", attempt: 1, message_id: "a" };
    goLive();
    world.socket.say(
      ...log([
        { type: "message_started", ...run },
        { type: "message_delta", ...run, chunk: 1, text: "second" },
      ]),
    );
    world.pass(1_000);
    world.socket.open();
    expect(world.socket.sent[0]).not.toHaveProperty("after");
  });

  test("after 4110, and when the numbering changed, the next hello has no position", () => {
    goLive();
    world.socket.end(4110);
    world.pass(1_000);
    goLive([], { resumed: true, epoch: "e2" });
    world.pass(2_000);
    expect(world.sockets).toHaveLength(3);
    world.socket.open();
    expect(world.sockets.map((socket) => socket.sent[0]?.["after"])).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe("sending", () => {
  const queries = (socket: FakeSocket = world.socket): Record<string, unknown>[] =>
    socket.sentOf("query");
  const ack = (socket: FakeSocket = world.socket, fields: object = {}): void =>
    socket.say({ type: "ack", id: queries(socket).at(-1)?.["id"], duplicate: false, ...fields });

  test("messages go one at a time, in order, each after the ack of the one before", () => {
    goLive();
    client.send("one");
    client.send("two");
    expect(queries().map((frame) => frame["query"])).toEqual(["one"]);
    ack();
    expect(queries().map((frame) => frame["query"])).toEqual(["one", "two"]);
  });

  test("a message stays in view until it stands in the chat", () => {
    goLive();
    const id = client.send("question");
    ack();
    expect(client.view.unsent.map((entry) => entry.text)).toEqual(["question"]);
    world.socket.say(
      ...log([
        {
          type: "user_message",
          message_id: "q",
          client_message_id: id,
          text: "question",
          run_id: "r",
        },
      ]),
    );
    expect(client.view.unsent).toEqual([]);
    expect(client.view.chat.messages).toHaveLength(1);
  });

  test("a lost ack: the same message goes again under the same name", () => {
    goLive();
    const id = client.send("question");
    world.socket.end(1006);
    world.pass(1_000);
    goLive([], { resumed: true });
    expect(queries()).toMatchObject([{ query: "question", client_message_id: id }]);
    ack(world.socket, { duplicate: true });
    expect(client.view.unsent).toEqual([]);
  });

  test("an ack that does not come on a living connection: again after twenty seconds", () => {
    goLive();
    client.send("question");
    world.pass(19_999);
    expect(queries()).toHaveLength(1);
    world.pass(1);
    expect(new Set(queries().map((frame) => frame["client_message_id"])).size).toBe(1);
    expect(queries()).toHaveLength(2);
  });

  test("an unsent message survives a reload and is sent by the next page", () => {
    const id = client.send("typed while offline");
    client.close();
    const reloaded = newClient();
    reloaded.use({ session_id: "session-1", chat_id: "chat-1" });
    expect(reloaded.view.unsent.map((entry) => entry.text)).toEqual(["typed while offline"]);
    reloaded.connect();
    goLive();
    expect(queries()).toMatchObject([{ client_message_id: id }]);
  });

  test("a message that a snapshot shows is not sent again", () => {
    const id = client.send("question");
    goLive([snapshot({ messages: [stored("q", { client_message_id: id })] })]);
    expect(queries()).toEqual([]);
    expect(client.view.unsent).toEqual([]);
  });

  test("a temporary error waits as told and tries again", () => {
    goLive();
    client.send("question");
    world.socket.say({
      type: "error",
      id: queries()[0]?.["id"],
      code: "rate_limited",
      message: "",
      temporary: true,
      retry_after_ms: 3_000,
    });
    world.pass(3_000);
    expect(queries()).toHaveLength(1);
    world.pass(500);
    expect(queries()).toHaveLength(2);
  });

  test("a final error keeps the message with its reason and goes on with the next", () => {
    goLive();
    const first = client.send("bad");
    client.send("good");
    world.socket.say({
      type: "error",
      id: queries()[0]?.["id"],
      code: "text_too_long",
      message: "Too long.",
      temporary: false,
    });
    expect(client.view.unsent[0]?.refused).toEqual({ code: "text_too_long", message: "Too long." });
    expect(queries().map((frame) => frame["query"])).toEqual(["bad", "good"]);
    client.discard(first);
    expect(client.view.unsent.map((entry) => entry.text)).toEqual(["good"]);
  });
});

describe("stopping", () => {
  const running = log(answered("x", ["a", "b"]).slice(0, 15));

  test("names the run, and is over when the run says so", () => {
    goLive();
    world.socket.say(...running);
    client.cancel();
    expect(world.socket.sentOf("cancel")).toMatchObject([{ run_id: "run-x" }]);
    expect(client.view.stopping).toEqual(["run-x"]);
    world.socket.say(...log([{ type: "run_cancelled", run_id: "run-x", attempt: 1 }], 16));
    expect(client.view.stopping).toEqual([]);
    expect(client.view.chat.messages[1]).toMatchObject({ text: "a", status: "stopped" });
  });

  test("a wish made while away is sent on return", () => {
    goLive();
    world.socket.say(...running);
    world.socket.end(1006);
    client.cancel();
    world.pass(1_000);
    goLive([], { resumed: true });
    expect(world.socket.sentOf("cancel")).toMatchObject([{ run_id: "run-x" }]);
  });

  test("a refused wish is dropped", () => {
    goLive();
    world.socket.say(...running);
    client.cancel();
    const id = world.socket.sentOf("cancel")[0]?.["id"];
    world.socket.say({ type: "error", id, code: "run_not_found", message: "", temporary: false });
    expect(client.view.stopping).toEqual([]);
  });
});

describe("the end of a session", () => {
  test("is warned of, and can be put off", async () => {
    goLive();
    world.socket.say({ type: "session_expiring", expires_at: "2026-01-05T10:05:00.000Z" });
    expect(client.view).toMatchObject({
      endsAt: world.time + 300_000,
      expiresAt: "2026-01-05T10:05:00.000Z",
    });
    world.answer = () => ({ status: 200, body: { expires_at: "2026-01-06T10:05:00.000Z" } });
    await client.extend();
    expect(client.view).toMatchObject({ endsAt: null, expiresAt: "2026-01-06T10:05:00.000Z" });
  });

  test("while somebody looks is only said; starting again keeps the chat", async () => {
    goLive([snapshot({ messages: [stored("q")] })]);
    world.socket.end(4004);
    await world.settle();
    expect(client.view.status).toMatchObject({ kind: "ended", code: 4004 });
    await client.restart();
    expect(world.requests.at(-1)?.body).toEqual({ chat_id: "chat-1" });
    world.socket.open();
    expect(world.socket.url).toBe("wss://server/ws/session-2");
    expect(world.socket.sent[0]).toHaveProperty("after");
    expect(client.view.chat.messages).toHaveLength(1);
  });

  test("before the page was opened is not worth a word: a new one is started", async () => {
    const returned = newClient();
    returned.use({ session_id: "session-old", chat_id: "chat-1" });
    returned.connect();
    world.socket.end(4004);
    await world.settle();
    expect(world.requests.at(-1)?.body).toEqual({ chat_id: "chat-1" });
    expect(world.socket.url).toBe("wss://server/ws/session-2");
  });

  test("does not stop a message: sending starts a new session", async () => {
    goLive();
    world.socket.end(4004);
    client.send("still here");
    await world.settle();
    goLive();
    expect(world.socket.sentOf("query")).toMatchObject([{ query: "still here" }]);
  });

  test("with the chat gone too: a new chat, and unsent messages come along", async () => {
    goLive();
    world.answer = (_method, _url, body) =>
      (body as { chat_id?: string }).chat_id === undefined
        ? { status: 201, body: session("9", "chat-9") }
        : { status: 404, body: { error: { code: "chat_not_found", message: "" } } };
    world.socket.end(4004);
    client.send("take me along");
    await world.settle();
    goLive([snapshot({ chat: { chat_id: "chat-9", title: null } })]);
    expect(client.view.chat.chatId).toBe("chat-9");
    expect(world.socket.sentOf("query")).toMatchObject([{ query: "take me along" }]);
  });
});

describe("older messages", () => {
  const ids = (): string[] => client.view.chat.messages.map((message) => message.id);
  const pages = (): void => {
    world.answer = (_method, url) => ({
      status: 200,
      body: url.includes("before=3")
        ? { messages: [stored("m1"), stored("m2")], next: null }
        : { messages: [stored("m3"), stored("m4")], next: "3" },
    });
  };

  test("come before those held", async () => {
    goLive([snapshot({ messages: [stored("m3"), stored("m4")], has_more: true, next: "3" })]);
    pages();
    await client.loadOlder();
    expect(world.requests.at(-1)?.url).toContain("/chats/chat-1/messages?before=3&limit=");
    expect(ids()).toEqual(["m1", "m2", "m3", "m4"]);
    expect(client.view.chat.hasMore).toBe(false);
  });

  test("are found even if the snapshot does not say where they begin", async () => {
    goLive([snapshot({ messages: [stored("m3"), stored("m4")], has_more: true })]);
    pages();
    await client.loadOlder();
    expect(ids()).toEqual(["m1", "m2", "m3", "m4"]);
  });

  test("are not asked for when there are none", async () => {
    goLive([snapshot({ messages: [stored("m3")] })]);
    const before = world.requests.length;
    await client.loadOlder();
    expect(world.requests).toHaveLength(before);
  });
});

test("events can be iterated, each once and in order", async () => {
  goLive();
  const events = client.events();
  const sent = log(answered("x", ["a"]));
  world.socket.say(...sent.slice(0, 2), ...sent.slice(0, 3));
  const seen = [];
  for (let index = 0; index < 3; index += 1) seen.push((await events.next()).value);
  expect(seen).toEqual(sent.slice(0, 3));
  await events.return?.();
  expect(await events.next()).toEqual({ value: undefined, done: true });
});
