/** Line icons, drawn on a grid of 20. */
import { svg, html, type TemplateResult } from "lit";

function icon(paths: TemplateResult): TemplateResult {
  return html`<svg
    viewBox="0 0 20 20"
    width="20"
    height="20"
    fill="none"
    stroke="currentColor"
    stroke-width="1.6"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true"
  >
    ${paths}
  </svg>`;
}

export const menuIcon = icon(svg`<path d="M3 6h14M3 10h9M3 14h14" />`);
export const newIcon = icon(svg`<path d="M10 4v12M4 10h12" />`);
export const closeIcon = icon(svg`<path d="M5 5l10 10M15 5L5 15" />`);
export const sendIcon = icon(svg`<path d="M10 16V4M5 9l5-5 5 5" />`);
export const stopIcon = icon(
  svg`<rect x="5.5" y="5.5" width="9" height="9" rx="1.5" fill="currentColor" stroke="none" />`,
);
export const copyIcon = icon(
  svg`<rect x="7" y="7" width="9" height="9" rx="2" /><path d="M13 4H6a2 2 0 0 0-2 2v7" />`,
);
export const doneIcon = icon(svg`<path d="M5 10.5l3.5 3.5L15 6.5" />`);
export const failedIcon = icon(svg`<path d="M10 5.5v5.5M10 14.2v.1" />`);
export const downIcon = icon(svg`<path d="M10 4v12M5 11l5 5 5-5" />`);
export const chevronIcon = icon(svg`<path d="M6 8l4 4 4-4" />`);
