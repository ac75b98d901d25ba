/** Events as a server would number them. */
import type { ChatEvent, SnapshotFrame, StoredMessage } from "../../src/client/protocol";

type Loose = { type: string } & Record<string, unknown>;

/** Number events from `first` on. */
export function log(events: readonly Loose[], first = 1): ChatEvent[] {
  return events.map(
    (event, index) =>
      ({
        key: `k${first + index}`,
        timestamp: "2026-01-05T10:00:00.000Z",
        ...event,
        offset: first + index,
      }) as unknown as ChatEvent,
  );
}

/** The events of one answered question: memory, plan, two teams, words, end. */
export function answered(
  name: string,
  pieces: readonly string[],
  end: "complete" | "stopped" | "failed" = "complete",
): Loose[] {
  const run = { run_id: `run-${name}`, attempt: 1 };
  const answer = { ...run, message_id: `a-${name}` };
  const text = pieces.join("");
  const last: Record<typeof end, Loose> = {
    complete: { type: "run_completed", ...run, usage: {}, seconds: 1.5 },
    stopped: { type: "run_cancelled", ...run },
    failed: { type: "run_failed", ...run, code: "internal", message: "It broke.", retryable: true },
  };
  return [
    {
      type: "user_message",
      message_id: `q-${name}`,
      client_message_id: `c-${name}`,
      text: `question ${name}`,
      run_id: run.run_id,
    },
    { type: "run_queued", run_id: run.run_id },
    { type: "run_started", ...run, message_id: `q-${name}` },
    {
      type: "memory_loaded",
      ...run,
      user_id: null,
      memory_count: 0,
      memories: [],
      status: "anonymous",
    },
    { type: "planning_started", ...run },
    {
      type: "plan_ready",
      ...run,
      intent: "mixed",
      steps: [
        { team: "search", task: "find it" },
        { team: "analysis", task: "compute it" },
      ],
    },
    { type: "team_started", ...run, team: "search", task: "find it" },
    { type: "team_started", ...run, team: "analysis", task: "compute it" },
    { type: "team_progress", ...run, team: "search", fraction: 0.5, text: "reading" },
    { type: "team_completed", ...run, team: "analysis", summary: "397.8", seconds: 0.1 },
    { type: "team_failed", ...run, team: "search", code: "timeout" },
    { type: "aggregating", ...run },
    { type: "responding", ...run },
    { type: "message_started", ...answer },
    ...pieces.map((piece, chunk) => ({ type: "message_delta", ...answer, chunk, text: piece })),
    {
      type: "message_completed",
      ...answer,
      text,
      sha256: "",
      status: end,
      citations: [{ n: 1, title: "Resume", source: "docs/resume.md", url: null, quote: "…" }],
    },
    last[end],
  ];
}

export function snapshot(fields: Partial<SnapshotFrame> = {}): SnapshotFrame {
  return {
    type: "snapshot",
    epoch: "e1",
    offset: 0,
    key: null,
    chat: { chat_id: "chat-1", title: null },
    messages: [],
    has_more: false,
    runs: [],
    ...fields,
  };
}

export function stored(id: string, fields: Partial<StoredMessage> = {}): StoredMessage {
  return { message_id: id, role: "user", text: id, status: "complete", ...fields };
}

export function welcome(fields: Record<string, unknown> = {}): object {
  return {
    type: "welcome",
    connection_id: "conn_1",
    session_id: "session-1",
    chat_id: "chat-1",
    user_id: null,
    epoch: "e1",
    offset: 0,
    resumed: false,
    reason: "first",
    replay: 0,
    heartbeat_ms: 25_000,
    limits: { text_chars: 16_000 },
    ...fields,
  };
}
