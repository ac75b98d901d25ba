/** How the pieces of an answer become its text. Pure. */
import type { AnswerEvent, MessageDeltaEvent } from "./protocol";
import { type Message, NEW_MESSAGE } from "./state";

/** Apply one event to its message; undefined when the event is the first that names it. */
export function applyToAnswer(message: Message | undefined, event: AnswerEvent): Message {
  const held = message ?? begun(event);
  if (event.type === "message_completed") {
    return {
      ...held,
      runId: event.run_id,
      text: event.text,
      status: event.status ?? "complete",
      citations: event.citations ?? [],
      chunk: null,
      isTorn: false,
    };
  }
  // The whole text is known. Anything else is a replay of how it came about.
  if (held.status !== "streaming") return held;
  if (event.attempt < held.attempt) return held;
  switch (event.type) {
    case "message_started":
      return held;
    case "message_reset":
      return { ...held, text: "", chunk: -1, attempt: event.attempt, isTorn: false };
    case "message_text":
      return {
        ...held,
        text: event.text,
        chunk: event.chunk ?? null,
        attempt: event.attempt,
        isTorn: false,
      };
    case "message_delta":
      return withDelta(held, event);
  }
}

function begun(event: AnswerEvent): Message {
  return {
    ...NEW_MESSAGE,
    id: event.message_id,
    role: "assistant",
    status: "streaming",
    runId: event.run_id,
    createdAt: event.timestamp,
    attempt: event.attempt,
    chunk: -1,
  };
}

function withDelta(held: Message, event: MessageDeltaEvent): Message {
  const first = event.from_chunk ?? event.chunk;
  // A newer execution that starts at its first piece replaces what an older one wrote.
  const message =
    event.attempt > held.attempt ? { ...held, text: "", chunk: -1, isTorn: false } : held;
  const { chunk } = message;
  if (message.isTorn) return held;
  if (chunk !== null && event.chunk <= chunk) return held; // held already
  if (chunk !== null && first !== chunk + 1) return { ...held, isTorn: true };
  return {
    ...message,
    text: message.text + event.text,
    chunk: event.chunk,
    attempt: event.attempt,
  };
}
