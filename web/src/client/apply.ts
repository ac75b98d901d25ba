/** Apply events to a chat. Pure and idempotent: a replay changes nothing. */
import { applyToAnswer } from "./answer-events";
import type { ChatEvent, Cursor, UserMessageEvent } from "./protocol";
import { applyToRun, reach } from "./run-events";
import { type Chat, type Message, NEW_MESSAGE, NEW_RUN, type Run } from "./state";

/**
 * Say how an event stands to what is held: `next` may be applied, `old` was applied before,
 * `gap` means that something between is missing and must be fetched first.
 */
export function placeOf(cursor: Cursor | null, event: ChatEvent): "next" | "old" | "gap" {
  if (cursor === null) return "gap";
  if (event.offset <= cursor.offset) return "old";
  const first = event.type === "message_delta" ? (event.from ?? event.offset) : event.offset;
  return first <= cursor.offset + 1 ? "next" : "gap";
}

/**
 * Apply one event. Returns the same object if the event is old or does not follow what is held,
 * so a caller that sees a gap can fetch what is missing and lose nothing.
 */
export function apply(chat: Chat, event: ChatEvent): Chat {
  if (chat.cursor === null || placeOf(chat.cursor, event) !== "next") return chat;
  const cursor = { epoch: chat.cursor.epoch, offset: event.offset, key: event.key };
  return { ...reduce(chat, event), cursor };
}

/** Change a chat by one event, whatever its offset. */
export function reduce(chat: Chat, event: ChatEvent): Chat {
  switch (event.type) {
    case "user_message":
      return withQuestion(chat, event);
    case "title_changed":
      return { ...chat, title: event.title };
    case "message_started":
    case "message_delta":
    case "message_text":
    case "message_completed":
    case "message_reset": {
      const held = chat.messages.find((message) => message.id === event.message_id);
      const next = withMessage(chat, applyToAnswer(held, event));
      const run = next.runs[event.run_id];
      return run === undefined || event.type === "message_reset"
        ? next
        : withRun(next, reach(run, "answering"));
    }
    case "run_queued":
    case "run_started":
    case "run_resumed":
    case "run_waiting":
    case "memory_loaded":
    case "planning_started":
    case "plan_ready":
    case "team_started":
    case "team_progress":
    case "team_completed":
    case "team_failed":
    case "aggregating":
    case "responding":
    case "memory_saved":
    case "memory_save_failed":
    case "custom":
      return withRun(chat, applyToRun(chat.runs[event.run_id], event));
    case "run_completed":
    case "run_failed":
    case "run_cancelled":
      return settled(withRun(chat, applyToRun(chat.runs[event.run_id], event)), event.run_id);
    default:
      return chat; // an event from a newer server
  }
}

function withQuestion(chat: Chat, event: UserMessageEvent): Chat {
  const held = chat.messages.find((message) => message.id === event.message_id);
  const question: Message = {
    ...NEW_MESSAGE,
    id: event.message_id,
    role: "user",
    text: event.text,
    runId: event.run_id,
    clientMessageId: event.client_message_id,
    createdAt: held?.createdAt ?? event.timestamp,
  };
  const run: Run = { ...(chat.runs[event.run_id] ?? { ...NEW_RUN, id: event.run_id }) };
  return withRun(withMessage(chat, question), { ...run, questionId: event.message_id });
}

/** Replace a message, or add it at the end. */
export function withMessage(chat: Chat, message: Message): Chat {
  const place = chat.messages.findIndex((held) => held.id === message.id);
  if (place === -1) return { ...chat, messages: [...chat.messages, message] };
  if (chat.messages[place] === message) return chat;
  return { ...chat, messages: chat.messages.with(place, message) };
}

function withRun(chat: Chat, run: Run): Chat {
  if (chat.runs[run.id] === run) return chat;
  return { ...chat, runs: { ...chat.runs, [run.id]: run } };
}

/** A run's end is also its answer's end, should the last word on the answer be missing. */
function settled(chat: Chat, runId: string): Chat {
  const run = chat.runs[runId];
  const answer = chat.messages.find(
    (message) => message.runId === runId && message.status === "streaming",
  );
  if (run === undefined || answer === undefined) return chat;
  const status =
    run.status === "cancelled" ? "stopped" : run.status === "failed" ? "failed" : "complete";
  return withMessage(chat, { ...answer, status, chunk: null, isTorn: false });
}
