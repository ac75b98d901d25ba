/** The one quiet line about the connection: what it says and what it offers. Pure. */
import type { PageState } from "./controller";
import { t, tn } from "./i18n/translate";

export type StatusAction = "try" | "extend" | "restart" | "reconnect" | "reload";

export interface StatusWords {
  readonly text: string;
  readonly action: { readonly what: StatusAction; readonly label: string } | null;
  readonly tone: "quiet" | "warn";
}

/**
 * @param now the environment's milliseconds
 * @param wasLost the connection was live before
 * @param isBack it came back a moment ago
 */
export function statusWords(
  state: Pick<PageState, "view" | "isOnline">,
  now: number,
  wasLost: boolean,
  isBack: boolean,
): StatusWords | null {
  const { view, isOnline } = state;
  const { status } = view;
  switch (status.kind) {
    case "idle":
      return null;
    case "live":
      if (view.endsAt !== null) return expiring(view.endsAt - now);
      return isBack ? quiet(t("status.back")) : null;
    case "starting":
    case "connecting":
      if (!isOnline) return quiet(t("status.offline"));
      return quiet(wasLost ? t("status.reconnecting") : t("status.connecting"));
    case "waiting": {
      if (!isOnline) return quiet(t("status.offline"));
      const seconds = Math.max(1, Math.ceil((status.retryAt - now) / 1000));
      return offer(t("status.waiting", { n: seconds }), "try", t("status.try_now"), "quiet");
    }
    case "ended":
      return ended(status.code, status.name);
  }
}

function ended(code: number, name: string): StatusWords {
  const again = t("status.start_again");
  switch (code) {
    case 4004:
    case 4010:
      return offer(t("status.ended.session"), "restart", again);
    case 4029:
      return offer(t("status.ended.tabs"), "restart", t("status.open_here"));
    case 4001:
    case 4003:
      return offer(t("status.ended.forbidden"), "restart", again);
    case 4005:
      return offer(t("status.ended.version"), "reload", t("status.reload"));
    case 0:
      return offer(t("status.closed", { name }), "restart", again);
    default:
      return offer(t("status.closed", { name }), "reconnect", t("status.reconnect"));
  }
}

function expiring(leftMs: number): StatusWords {
  const minutes = Math.max(1, Math.round(leftMs / 60_000));
  return offer(tn("status.expiring", minutes), "extend", t("status.extend"));
}

function quiet(text: string): StatusWords {
  return { text, action: null, tone: "quiet" };
}

function offer(
  text: string,
  what: StatusAction,
  label: string,
  tone: StatusWords["tone"] = "warn",
): StatusWords {
  return { text, action: { what, label }, tone };
}
