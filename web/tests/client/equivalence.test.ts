/** Whatever is cut, repeated or taken from a snapshot, the chat comes out the same. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { apply } from "../../src/client/apply";
import type { ChatEvent, SnapshotFrame } from "../../src/client/protocol";
import { fromSnapshot } from "../../src/client/snapshot";
import { type Chat, EMPTY, hasEnded } from "../../src/client/state";
import { answered, log, snapshot } from "../support/events";

const START = fromSnapshot(EMPTY, snapshot());

/** One question; its answer may be interrupted and written again by a second execution. */
const turn = fc.record({
  pieces: fc.array(fc.string({ minLength: 1, maxLength: 4 }), { maxLength: 6 }),
  end: fc.constantFrom("complete" as const, "stopped" as const, "failed" as const),
  restartAt: fc.option(fc.nat(30), { nil: null, freq: 1 }),
  isCutShort: fc.boolean(),
});

const history = fc.array(turn, { minLength: 1, maxLength: 3 }).map((turns) => {
  const all: Parameters<typeof log>[0][number][] = [];
  turns.forEach(({ pieces, end, restartAt, isCutShort }, index) => {
    const events = answered(String(index), pieces, end);
    const first = 3 + ((restartAt ?? 0) % (events.length - 4));
    if (restartAt === null) {
      // Only the last turn may still be under way.
      const isOpen = isCutShort && index === turns.length - 1;
      all.push(...(isOpen ? events.slice(0, first + 1) : events));
      return;
    }
    const run = { run_id: `run-${index}`, attempt: 2 };
    const again = events.slice(3).map((event) => ({ ...event, attempt: 2 }));
    const before = events.slice(0, first);
    const reset = { type: "message_reset", ...run, message_id: `a-${index}` };
    all.push(...before, { type: "run_resumed", ...run, reason: "lease_lapsed" });
    if (before.some((event) => event.type === "message_started")) all.push(reset);
    all.push(...again);
  });
  return log(all);
});

/** What a server would put into a snapshot of `chat`: Postgres' messages and the open runs. */
function snapshotOf(chat: Chat, events: readonly ChatEvent[], logTop: number): SnapshotFrame {
  const open = Object.values(chat.runs).filter((run) => !hasEnded(run));
  const isPartial = (status: string): boolean => status === "streaming";
  return snapshot({
    offset: logTop,
    key: logTop === 0 ? null : `k${logTop}`,
    chat: { chat_id: "chat-1", title: chat.title },
    messages: chat.messages
      .filter((message) => !isPartial(message.status))
      .map((message) => ({
        message_id: message.id,
        role: message.role,
        text: message.text,
        status: message.status === "streaming" ? "complete" : message.status,
        run_id: message.runId,
        client_message_id: message.clientMessageId,
        citations: [...message.citations],
        created_at: message.createdAt ?? "",
      })),
    runs: open.map((run) => {
      const answer = chat.messages.find(
        (message) => message.runId === run.id && isPartial(message.status),
      );
      return {
        run_id: run.id,
        message_id: run.questionId ?? "",
        status: run.status as "queued" | "running" | "waiting",
        attempt: run.attempt,
        events: events.filter(
          (event) => "run_id" in event && event.run_id === run.id && isProgress(event),
        ) as never,
        partial:
          answer === undefined
            ? null
            : { message_id: answer.id, text: answer.text, chunk: answer.chunk ?? -1 },
      };
    }),
  });
}

const isProgress = (event: ChatEvent): boolean =>
  !event.type.startsWith("message_") && event.type !== "user_message";

/** What two clients must agree on. How finished runs went is not part of a snapshot. */
function visible(chat: Chat): object {
  const open = Object.values(chat.runs).filter((run) => !hasEnded(run));
  return {
    messages: chat.messages.map((message) => {
      const { id, role, text, status, citations, clientMessageId, isTorn } = message;
      return { id, role, text, status, citations, clientMessageId, isTorn };
    }),
    open: open.map(({ id, status, phase, attempt, memory, plan, teams, questionId }) => {
      return { id, status, phase, attempt, memory, plan, teams, questionId };
    }),
    cursor: chat.cursor,
  };
}

describe("for every history", () => {
  test("duplicates and replays of any part are harmless", () => {
    fc.assert(
      fc.property(
        history,
        fc.array(fc.tuple(fc.nat(), fc.nat(12)), { maxLength: 8 }),
        (events, again) => {
          const once = events.reduce(apply, START);
          let chat = START;
          events.forEach((event, index) => {
            chat = apply(chat, event);
            for (const [at, length] of again) {
              const from = Math.max(0, index - (at % (length + 1)));
              if (at % events.length === index) {
                chat = events.slice(from, index + 1).reduce(apply, chat);
              }
            }
          });
          expect(chat).toEqual(once);
        },
      ),
    );
  });

  test("a snapshot anywhere plus the events after it is the whole", () => {
    fc.assert(
      fc.property(history, fc.nat(), (events, at) => {
        const cut = at % (events.length + 1);
        const before = events.slice(0, cut);
        const held = before.reduce(apply, START);
        const taken = fromSnapshot(EMPTY, snapshotOf(held, before, cut));
        expect(visible(taken)).toEqual(visible(held));
        const whole = events.reduce(apply, START);
        expect(visible(events.slice(cut).reduce(apply, taken))).toEqual(visible(whole));
      }),
    );
  });

  test("a snapshot that is newer than the log's top gives the same in the end", () => {
    fc.assert(
      fc.property(history, fc.nat(), fc.nat(), (events, at, behind) => {
        const cut = at % (events.length + 1);
        const top = Math.max(0, cut - (behind % 8));
        const before = events.slice(0, cut);
        const taken = fromSnapshot(EMPTY, snapshotOf(before.reduce(apply, START), before, top));
        const whole = events.reduce(apply, START);
        let chat = taken;
        for (const event of events.slice(top)) {
          chat = apply(chat, event);
          // What the snapshot shows as finished is never unfinished again.
          for (const message of taken.messages) {
            if (message.status !== "streaming") {
              expect(chat.messages.find(({ id }) => id === message.id)).toMatchObject({
                text: message.text,
                status: message.status,
              });
            }
          }
        }
        expect(visible(chat)).toEqual(visible(whole));
      }),
    );
  });

  test("merging neighbouring deltas changes nothing", () => {
    fc.assert(
      fc.property(history, fc.nat(3), (events, width) => {
        expect(visible(merged(events, width + 1).reduce(apply, START))).toEqual(
          visible(events.reduce(apply, START)),
        );
      }),
    );
  });
});

function merged(events: readonly ChatEvent[], width: number): ChatEvent[] {
  const out: ChatEvent[] = [];
  let joined = 0;
  for (const event of events) {
    const last = out.at(-1);
    const fits =
      event.type === "message_delta" &&
      last?.type === "message_delta" &&
      last.message_id === event.message_id &&
      last.attempt === event.attempt &&
      last.chunk + 1 === event.chunk;
    if (fits && joined < width) {
      joined += 1;
      out[out.length - 1] = {
        ...event,
        text: last.text + event.text,
        from: last.from ?? last.offset,
        from_chunk: last.from_chunk ?? last.chunk,
      };
    } else {
      joined = 0;
      out.push(event);
    }
  }
  return out;
}
