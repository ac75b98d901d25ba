/** How the page is laid out, from 320 px up. */
import { css } from "lit";

export const pageStyles = css`
  :host {
    display: flex;
    height: 100dvh;
    background: var(--paper);
    color: var(--ink);
  }
  nav {
    display: flex;
    flex-direction: column;
    flex: none;
    width: 17rem;
    padding: var(--s4) var(--s3);
    background: var(--panel);
    border-inline-end: 1px solid var(--line);
  }
  main {
    flex: 1;
    min-width: 0;
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    grid-template-rows: auto minmax(0, 1fr) auto;
  }
  colloquy-conversation {
    grid-row: 2;
  }
  header {
    grid-row: 1;
    display: flex;
    align-items: center;
    gap: var(--s1);
    padding: max(var(--s1), env(safe-area-inset-top)) var(--s2) var(--s1);
    border-bottom: 1px solid var(--line);
  }
  .here {
    flex: 1;
    min-width: 0;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    text-align: center;
    font: 500 var(--text-m) / 1.4 var(--serif);
  }
  footer {
    grid-row: 3;
    width: 100%;
    max-width: var(--measure);
    margin: 0 auto;
    padding: 0 var(--gutter) max(var(--s3), env(safe-area-inset-bottom));
  }
  colloquy-status {
    padding-block: var(--s1);
  }
  .brand {
    display: flex;
    align-items: center;
    gap: var(--s2);
    min-height: 2.75rem;
    padding-inline: var(--s3);
    font: 500 var(--text-l) / 1 var(--serif);
    letter-spacing: -0.005em;
  }
  .seal {
    display: grid;
    place-content: center;
    gap: 0.25rem;
    width: 1.625rem;
    height: 1.625rem;
    border-radius: 0.45rem;
    background: var(--accent);
  }
  .seal i {
    width: 0.3125rem;
    height: 0.3125rem;
    border-radius: 50%;
    background: var(--accent-ink);
  }
  .new {
    display: flex;
    align-items: center;
    gap: var(--s2);
    min-height: 2.75rem;
    margin: var(--s3) 0 var(--s3);
    padding: 0 var(--s3);
    border: 1px solid var(--line-strong);
    border-radius: var(--radius);
    font-size: var(--text-s);
    font-weight: 500;
    transition: border-color var(--quick);
  }
  .new:hover {
    border-color: var(--accent);
    color: var(--accent);
  }
  .new svg {
    width: 1.1rem;
    height: 1.1rem;
  }
  colloquy-history {
    flex: 1;
    min-height: 0;
    overflow-y: auto;
    /* Room for the focus ring. */
    margin-inline: calc(var(--s1) * -1);
    padding-inline: var(--s1);
  }
  dialog {
    width: min(20rem, 88vw);
    height: 100dvh;
    max-height: none;
    margin: 0;
    padding: 0;
    border: 0;
    border-inline-end: 1px solid var(--line);
    background: var(--panel);
    color: inherit;
    transition:
      translate var(--calm) ease-out,
      overlay var(--calm) allow-discrete,
      display var(--calm) allow-discrete;
    translate: -100% 0;
  }
  dialog[open] {
    translate: 0 0;
  }
  @starting-style {
    dialog[open] {
      translate: -100% 0;
    }
  }
  dialog::backdrop {
    background: rgb(10 14 12 / 45%);
  }
  .drawer {
    position: relative;
    display: flex;
    flex-direction: column;
    height: 100%;
    padding: max(var(--s3), env(safe-area-inset-top)) var(--s3) var(--s3);
  }
  .close {
    position: absolute;
    inset-inline-end: var(--s2);
  }
  .skip {
    position: absolute;
    z-index: 2;
    top: var(--s2);
    left: 50%;
    translate: -50% -200%;
    padding: var(--s2) var(--s4);
    border-radius: var(--radius);
    background: var(--accent);
    color: var(--accent-ink);
  }
  .skip:focus-visible {
    translate: -50% 0;
  }
`;
