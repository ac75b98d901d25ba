/** Groups a chat into turns: a question, the work on it, its answer. Pure. */
import type { Chat, Message, Run } from "../client/index";

export interface Turn {
  readonly key: string;
  /** Null for an answer whose question is on an older page. */
  readonly question: Message | null;
  readonly run: Run | null;
  readonly answers: readonly Message[];
}

/**
 * Return the turns of a chat, oldest first. An answer stands with its question even if other
 * questions came between. Turns that did not change are the same objects as in `before`, so
 * only what changed is drawn again.
 */
export function turnsOf(chat: Chat, before: readonly Turn[] = []): readonly Turn[] {
  const drafts = new Map<
    string,
    { question: Message | null; answers: Message[]; run: Run | null }
  >();
  for (const message of chat.messages) {
    const key = message.runId ?? message.id;
    const draft = drafts.get(key) ?? { question: null, answers: [], run: chat.runs[key] ?? null };
    if (message.role === "user") draft.question = message;
    else draft.answers.push(message);
    drafts.set(key, draft);
  }
  const held = new Map(before.map((turn) => [turn.key, turn]));
  const turns = [...drafts].map(([key, draft]) => same(held.get(key), { key, ...draft }));
  const isSame = turns.length === before.length && turns.every((turn, at) => turn === before[at]);
  return isSame ? before : turns;
}

function same(held: Turn | undefined, next: Turn): Turn {
  if (held === undefined) return next;
  const isSame =
    held.question === next.question &&
    held.run === next.run &&
    held.answers.length === next.answers.length &&
    held.answers.every((answer, at) => answer === next.answers[at]);
  return isSame ? held : next;
}
