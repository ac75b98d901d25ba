/** Where the page begins: language first, so that nothing is drawn twice. */
import { loadLanguage } from "./i18n/translate";
import "./parts/page";

document.documentElement.lang = await loadLanguage(navigator.languages);
document.body.prepend(document.createElement("colloquy-page"));
