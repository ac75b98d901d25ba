import { beforeEach, describe, expect, test } from "vitest";

import { Connection, type Status } from "../../src/client/connection";
import type { ServerFrame } from "../../src/client/protocol";
import { ApiError } from "../../src/client/api";
import { welcome } from "../support/events";
import { World } from "../support/world";

let world: World;
let connection: Connection;
let statuses: Status[];
let frames: ServerFrame[];
let forgotten: number;
let ticket: () => Promise<string>;

beforeEach(() => {
  world = new World();
  statuses = [];
  frames = [];
  forgotten = 0;
  ticket = () => Promise.resolve("ticket-1");
  connection = new Connection(world.environment, {
    url: () => "ws://server/ws/session-1",
    hello: (given) => ({
      type: "hello",
      client: "test",
      tab: "tab-1",
      ...(given === null ? {} : { ticket: given }),
    }),
    ticket: () => ticket(),
    onFrame: (frame) => frames.push(frame),
    onStatus: (status) => statuses.push(status),
    onForget: () => {
      forgotten += 1;
    },
  });
});

const goLive = (): void => {
  world.socket.open();
  world.socket.say(welcome(), { type: "live", offset: 0 });
};
const waitMs = (): number => {
  const { status } = connection;
  if (status.kind !== "waiting") throw new Error(`not waiting but ${status.kind}`);
  return status.retryAt - world.time;
};

test("hello is the first frame, and live is said by the server", () => {
  connection.open();
  expect(world.socket.protocols).toBe("colloquy.v1");
  goLive();
  expect(world.socket.sent[0]).toEqual({ type: "hello", client: "test", tab: "tab-1" });
  expect(statuses.map((status) => status.kind)).toEqual(["connecting", "live"]);
  expect(frames.map((frame) => frame.type)).toEqual(["welcome", "live"]);
});

test("a ping is answered with a pong and shown to nobody", () => {
  connection.open();
  goLive();
  world.socket.say({ type: "ping" });
  expect(world.socket.sentOf("pong")).toHaveLength(1);
  expect(frames).toHaveLength(2);
});

test("nothing is sent before the connection is live", () => {
  connection.open();
  world.socket.open();
  expect(connection.send({ type: "cancel", id: "1" })).toBe(false);
  world.socket.say(welcome(), { type: "live", offset: 0 });
  expect(connection.send({ type: "cancel", id: "1" })).toBe(true);
});

test("frames that cannot be read are passed over", () => {
  connection.open();
  goLive();
  world.socket.onmessage?.({ data: "not json" });
  world.socket.onmessage?.({ data: "[]" });
  world.socket.onmessage?.({ data: new ArrayBuffer(2) });
  world.socket.say({ no: "type" }, { type: "message_delta", text: "without offset" });
  expect(connection.status.kind).toBe("live");
  expect(frames).toHaveLength(2);
});

test("each failure waits longer, with jitter, and a short life does not count as success", () => {
  connection.open();
  const waits: number[] = [];
  for (let failure = 0; failure < 8; failure += 1) {
    if (failure === 3) {
      goLive();
      world.pass(4_999);
    }
    world.socket.end(1006);
    waits.push(waitMs());
    world.pass(waitMs());
  }
  expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
});

test("five seconds of life start the waits again", () => {
  connection.open();
  for (const _ of [1, 2, 3]) {
    world.socket.end(1006);
    world.pass(waitMs());
  }
  goLive();
  world.pass(5_000);
  world.socket.end(1006);
  expect(waitMs()).toBe(250);
});

test("a server that never welcomes is left after ten seconds", () => {
  connection.open();
  world.socket.open();
  world.pass(10_000);
  expect(connection.status.kind).toBe("waiting");
  expect(world.sockets[0]?.isHungUp).toBe(true);
});

test("thirty-five seconds of silence are a dead connection", () => {
  connection.open();
  goLive();
  world.pass(30_000);
  world.socket.say({ type: "ping" });
  world.pass(34_999);
  expect(world.sockets).toHaveLength(1);
  world.pass(1);
  expect(world.sockets).toHaveLength(2);
  expect(world.sockets[0]?.isHungUp).toBe(true);
});

test("what an abandoned socket still says is not heard", () => {
  connection.open();
  goLive();
  const old = world.socket;
  const heard = old.onmessage;
  connection.resync();
  expect(old.onmessage).toBeNull();
  expect(heard).not.toBeNull();
  old.end(4004);
  expect(connection.status.kind).toBe("waiting");
});

describe("close codes", () => {
  beforeEach(() => {
    connection.open();
    goLive();
  });

  test.each([1000, 4000, 4003, 4004, 4005, 4006, 4009, 4010, 4029, 4099])("%i stops", (code) => {
    world.socket.end(code);
    expect(connection.status).toMatchObject({ kind: "ended", code });
    world.pass(60_000);
    expect(world.sockets).toHaveLength(1);
  });

  test.each([1006, 1011, 1012, 4100, 4103, 4108, 4109, 4111, 4199])("%i backs off", (code) => {
    world.socket.end(code);
    expect(waitMs()).toBe(250);
    world.pass(250);
    expect(world.sockets).toHaveLength(2);
  });

  test("4129 waits at least as long as the server asks", () => {
    world.socket.end(4129, '{"retry_after_ms":9000}');
    expect(waitMs()).toBe(9250);
  });

  test("4110 forgets the position", () => {
    world.socket.end(4110);
    expect(forgotten).toBe(1);
    expect(connection.status.kind).toBe("waiting");
  });

  test("4200 comes back within the delay that the server gives", () => {
    world.socket.end(4200, '{"delay_ms":3000}');
    expect(waitMs()).toBe(1500);
  });

  test("an unknown 42xx comes back at once, with jitter", () => {
    world.socket.end(4242);
    expect(waitMs()).toBe(500);
  });

  test("a server that keeps sending us away is treated like one that fails", () => {
    for (const _ of [1, 2, 3, 4, 5]) {
      world.socket.end(4200, '{"delay_ms":10}');
      world.pass(waitMs());
    }
    world.socket.end(4200, '{"delay_ms":10}');
    expect(waitMs()).toBeGreaterThan(5_000);
  });

  test("4001 gets one new ticket, and stops if that does not help", async () => {
    world.socket.end(4001);
    world.pass(250);
    await world.settle();
    world.socket.open();
    expect(world.socket.sent[0]).toMatchObject({ type: "hello", ticket: "ticket-1" });
    world.socket.end(4001);
    expect(connection.status).toMatchObject({ kind: "ended", code: 4001 });
  });

  test("4101 gets a new ticket before it comes back", async () => {
    world.socket.end(4101);
    world.pass(250);
    await world.settle();
    world.socket.open();
    expect(world.socket.sent[0]).toMatchObject({ ticket: "ticket-1" });
  });

  test("no ticket to be had: stop; a server that is away: try later", async () => {
    ticket = () => Promise.reject(new ApiError("unreachable", "", 0));
    world.socket.end(4101);
    world.pass(250);
    await world.settle();
    expect(waitMs()).toBe(500);
    ticket = () => Promise.reject(new ApiError("unauthenticated", "", 401));
    world.pass(500);
    await world.settle();
    expect(connection.status).toMatchObject({ kind: "ended", code: 4001 });
  });
});

describe("a probe", () => {
  beforeEach(() => {
    connection.open();
    goLive();
  });

  test("ends a wait", () => {
    world.socket.end(1006);
    connection.probe();
    expect(connection.status.kind).toBe("connecting");
    expect(world.sockets).toHaveLength(2);
    world.pass(20_000);
    // The new socket's own time limit ran; the old wait did not fire as well.
    expect(world.sockets).toHaveLength(3);
  });

  test("that is answered changes nothing", () => {
    connection.probe();
    expect(world.socket.sentOf("ping")).toHaveLength(1);
    world.pass(100);
    world.socket.say({ type: "pong" });
    world.pass(10_000);
    expect(world.sockets).toHaveLength(1);
  });

  test("that is not answered finds a dead connection within seconds", () => {
    world.pass(10);
    connection.probe();
    world.pass(4_000);
    expect(world.sockets).toHaveLength(2);
  });

  test("after a sleep does not even ask", () => {
    world.time += 3_600_000;
    connection.probe();
    expect(world.sockets).toHaveLength(2);
  });

  test("does not wake what has ended", () => {
    world.socket.end(4004);
    connection.probe();
    expect(world.sockets).toHaveLength(1);
  });
});

test("close is final: no timer brings it back", () => {
  connection.open();
  goLive();
  connection.close();
  world.pass(120_000);
  expect(world.sockets).toHaveLength(1);
  expect(connection.status.kind).toBe("idle");
});
