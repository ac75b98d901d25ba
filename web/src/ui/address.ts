/** The chat in the address bar, as `?chat=<chat_id>`: each tab has its own. */
import type { Address } from "./controller";

export function browserAddress(): Address {
  return {
    chat: () => new URLSearchParams(location.search).get("chat"),
    show(chatId, isStep) {
      const url = new URL(location.href);
      if (url.searchParams.get("chat") === chatId) return;
      url.searchParams.set("chat", chatId);
      if (isStep) history.pushState(null, "", url);
      else history.replaceState(null, "", url);
    },
  };
}
