/** Styles that several parts share. Values come from the tokens in `page.css`. */
import { css } from "lit";

export const base = css`
  :host {
    display: block;
  }
  :host([hidden]),
  [hidden] {
    display: none !important;
  }
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  button {
    font: inherit;
    color: inherit;
    background: none;
    border: 0;
    padding: 0;
    cursor: pointer;
    -webkit-tap-highlight-color: transparent;
    touch-action: manipulation;
  }
  button:disabled {
    cursor: default;
  }
  a {
    color: var(--accent);
    text-underline-offset: 0.18em;
    text-decoration-thickness: from-font;
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
    border-radius: 4px;
  }
  svg {
    display: block;
    flex: none;
  }
  .hidden-visually {
    position: absolute;
    width: 1px;
    height: 1px;
    margin: -1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      animation-duration: 0.01ms !important;
      animation-iteration-count: 1 !important;
      transition-duration: 0.01ms !important;
    }
  }
`;

export const buttons = css`
  .icon {
    display: inline-grid;
    place-items: center;
    width: 2.75rem;
    height: 2.75rem;
    border-radius: var(--radius);
    color: var(--soft);
    transition: background-color var(--quick);
  }
  .icon:hover:not(:disabled) {
    background: var(--accent-wash);
    color: var(--accent);
  }
  .link {
    color: var(--accent);
    text-decoration: underline;
    text-underline-offset: 0.18em;
    text-decoration-thickness: from-font;
    /* A finger needs 24 px at least. */
    min-height: 1.5rem;
  }
  .link:hover {
    text-decoration-thickness: 2px;
  }
  .small {
    display: inline-flex;
    align-items: center;
    gap: var(--s1);
    min-height: 1.75rem;
    padding: 0 var(--s2);
    border-radius: 0.4rem;
    font-size: var(--text-s);
    color: var(--faint);
    transition: background-color var(--quick);
  }
  .small:hover {
    background: var(--accent-wash);
    color: var(--accent);
  }
`;

/** The two speakers of a colloquy, taking turns: shown while something is being worked on. */
export const colon = css`
  .colon {
    display: inline-grid;
    gap: 0.25em;
    width: 0.75em;
    justify-items: center;
  }
  .colon i {
    width: 0.3em;
    height: 0.3em;
    border-radius: 50%;
    background: var(--accent);
    animation: speak 1.2s ease-in-out infinite;
  }
  .colon i + i {
    animation-delay: 0.6s;
  }
  @keyframes speak {
    0%,
    100% {
      opacity: 0.25;
    }
    50% {
      opacity: 1;
    }
  }
`;
