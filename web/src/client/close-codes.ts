/** What a close code asks of a client. The table is the server's own file. */
import table from "@protocol/close_codes.json";

export type CloseAction = "stop" | "backoff" | "now";

export const SESSION_NOT_FOUND = 4004;
export const UNAUTHENTICATED = 4001;
export const CREDENTIALS_AGED = 4101;
export const NO_CONTINUITY = 4110;

const ROWS = new Map(table.codes.map((row) => [row.code, row]));

/** Return what to do after `code`. Codes that are not in the table follow their hundred. */
export function actionFor(code: number): CloseAction {
  const known = ROWS.get(code)?.action;
  if (known === "stop" || known === "backoff" || known === "now") return known;
  if (code >= 4000 && code < 4100) return "stop";
  if (code >= 4200 && code < 4300) return "now";
  return "backoff";
}

/** Return the table's name for `code`, or "closed" for one that it does not hold. */
export function nameOf(code: number): string {
  return ROWS.get(code)?.name ?? "closed";
}

/** Return what the server put in a close reason: a small JSON object, or nothing readable. */
export function reasonFields(reason: string): { delay_ms?: number; retry_after_ms?: number } {
  const fields: { delay_ms?: number; retry_after_ms?: number } = {};
  let value: unknown;
  try {
    value = JSON.parse(reason);
  } catch {
    return fields;
  }
  if (typeof value !== "object" || value === null) return fields;
  const given = value as Record<string, unknown>;
  if (isDelay(given["delay_ms"])) fields.delay_ms = given["delay_ms"];
  if (isDelay(given["retry_after_ms"])) fields.retry_after_ms = given["retry_after_ms"];
  return fields;
}

function isDelay(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
