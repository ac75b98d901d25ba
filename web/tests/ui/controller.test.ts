import { beforeEach, expect, test } from "vitest";

import { type Address, Controller } from "../../src/ui/controller";
import { snapshot, stored, welcome } from "../support/events";
import { World } from "../support/world";

let world: World;
let address: Address & { url: string | null; steps: (string | null)[] };
let controller: Controller;

const begin = (): Controller => new Controller(world.environment, address, () => undefined);
const goLive = (chat: string, frames: object = {}): void => {
  world.socket.open();
  world.socket.say(
    welcome({ chat_id: chat }),
    snapshot({ chat: { chat_id: chat, title: null }, ...frames }),
    { type: "live", offset: 0 },
  );
};
const posts = (): unknown[] =>
  world.requests.filter(({ method }) => method === "POST").map(({ body }) => body);

beforeEach(() => {
  world = new World();
  address = {
    url: null,
    steps: [],
    chat() {
      return this.url;
    },
    show(chatId, isStep) {
      if (isStep) this.steps.push(this.url);
      this.url = chatId;
    },
  };
  let count = 0;
  world.answer = (method, _url, body) => {
    if (method === "GET") return { status: 200, body: { conversations: [], next: null } };
    const wanted = (body as { chat_id?: string }).chat_id;
    if (wanted === "gone") return { status: 404, body: { error: { code: "chat_not_found" } } };
    count += 1;
    return {
      status: 201,
      body: { session_id: `session-${count}`, chat_id: wanted ?? `chat-${count}`, token: "t" },
    };
  };
  controller = begin();
});

test("a first visit starts a chat at once, and the address names it", async () => {
  controller.start();
  expect(controller.state.isNew).toBe(true);
  await world.settle();
  expect(posts()).toEqual([{}]);
  expect(address.url).toBe("chat-1");
  expect(address.steps).toEqual([]);
});

test("a reload comes back to the same session", async () => {
  controller.start();
  await world.settle();
  begin().start();
  await world.settle();
  expect(posts()).toHaveLength(1);
  expect(world.socket.url).toMatch(/\/ws\/session-1$/);
});

test("what is sent before the session exists is sent when it does", async () => {
  controller.start();
  controller.send("quick fingers");
  await world.settle();
  goLive("chat-1");
  expect(world.socket.sentOf("query")).toMatchObject([{ query: "quick fingers" }]);
});

test("a chat from the list gets a session of its own, and a step to go back from", async () => {
  controller.start();
  await world.settle();
  controller.open("chat-7");
  await world.settle();
  expect(posts()).toEqual([{}, { chat_id: "chat-7" }]);
  expect(address).toMatchObject({ url: "chat-7", steps: ["chat-1"] });
});

test("a chat that is not there is said, and a new one begun", async () => {
  address.url = "gone";
  controller.start();
  await world.settle();
  expect(controller.state.wasMissing).toBe(true);
  expect(posts()).toEqual([{ chat_id: "gone" }, {}]);
  expect(address.url).toBe("chat-1");
});

test("a new chat while the present one is empty changes nothing", async () => {
  controller.start();
  await world.settle();
  controller.newChat();
  await world.settle();
  expect(posts()).toHaveLength(1);
  goLive("chat-1", { messages: [stored("q")] });
  controller.newChat();
  await world.settle();
  expect(posts()).toHaveLength(2);
});

test("each chat has its draft, and it survives a reload", async () => {
  controller.start();
  await world.settle();
  controller.setDraft("half a thou");
  controller.open("chat-7");
  expect(controller.state.draft).toBe("");
  await world.settle();
  const reloaded = begin();
  address.url = "chat-1";
  reloaded.start();
  expect(reloaded.state.draft).toBe("half a thou");
});

test("what is typed before the session exists is not lost", async () => {
  controller.start();
  controller.setDraft("early");
  await world.settle();
  const reloaded = begin();
  reloaded.start();
  expect(reloaded.state.draft).toBe("early");
});

test("the draft moves along when the chat is gone", async () => {
  controller.start();
  await world.settle();
  goLive("chat-1");
  controller.setDraft("keep me");
  world.socket.end(4004);
  const before = world.answer;
  world.answer = (method, url, body) =>
    (body as { chat_id?: string } | undefined)?.chat_id === "chat-1"
      ? { status: 404, body: { error: { code: "chat_not_found" } } }
      : before(method, url, body);
  await controller.restart();
  expect(address.url).toBe("chat-2");
  expect(controller.state.draft).toBe("keep me");
  expect(begin().state.draft).toBe("");
  const reloaded = begin();
  reloaded.start();
  expect(reloaded.state.draft).toBe("keep me");
});

test("a refused message goes back into the message field", async () => {
  controller.start();
  await world.settle();
  goLive("chat-1");
  controller.send("too long");
  const id = world.socket.sentOf("query")[0]?.["id"];
  world.socket.say({ type: "error", id, code: "text_too_long", message: "", temporary: false });
  const entry = controller.state.view.unsent[0];
  controller.setDraft("and more");
  controller.editUnsent(entry?.clientMessageId ?? "");
  expect(controller.state.draft).toBe("too long\nand more");
  expect(controller.state.view.unsent).toEqual([]);
});

test("the list is loaded page by page, and a failure can be tried again", async () => {
  const chat = (id: string): object => ({ chat_id: id, title: id, message_count: 2 });
  const start = world.answer;
  world.answer = (method, url, body) => {
    if (method === "POST") return start(method, url, body);
    return url.includes("cursor=")
      ? { status: 200, body: { conversations: [chat("b"), chat("c")], next: null } }
      : { status: 200, body: { conversations: [chat("a"), chat("b")], next: "2" } };
  };
  controller.start();
  await world.settle();
  await controller.moreChats();
  expect(controller.state.chats.items.map((item) => item.chat_id)).toEqual(["a", "b", "c"]);
  expect(controller.state.chats.next).toBeNull();
  world.answer = () => ({ status: 503, body: null });
  await controller.refreshChats();
  expect(controller.state.chats).toMatchObject({ state: "failed" });
  expect(controller.state.chats.items).toHaveLength(3);
});
