/** Says what failed, and what to do next. */
import type { Run } from "../client/index";
import { named, t } from "./i18n/translate";

/** Return words for a failed run. The server's own sentence stands in where there are none. */
export function failureWords(error: Run["error"]): string {
  if (error === null) return t("answer.failed");
  const what = named("error", error.code, error.message === "" ? error.code : error.message);
  const next = error.isRetryable ? t("run.failed.retryable") : t("run.failed.final");
  return `${what} ${next}`;
}
