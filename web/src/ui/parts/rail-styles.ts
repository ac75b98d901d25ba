/** How the progress rail looks: a thread with one knot for each step. */
import { css } from "lit";

export const railStyles = css`
  :host {
    --node: 1.125rem;
    margin-top: var(--s1);
    font-size: var(--text-s);
    line-height: 1.45;
    color: var(--faint);
  }
  .line {
    display: flex;
    align-items: center;
    gap: var(--s2);
    width: 100%;
    min-height: 2rem;
    text-align: start;
    border-radius: 0.4rem;
  }
  .line:hover:not(:disabled) .summary {
    color: var(--ink);
  }
  .summary {
    min-width: 0;
    transition: color var(--quick);
    font-variant-numeric: tabular-nums;
  }
  .line.failed,
  .line.failed .node {
    color: var(--bad);
  }
  .chevron {
    color: var(--faint);
    transition: transform var(--calm);
  }
  .chevron svg {
    width: 1rem;
    height: 1rem;
  }
  [aria-expanded="true"] .chevron {
    transform: rotate(180deg);
  }
  .node {
    display: grid;
    place-items: center;
    width: var(--node);
    height: var(--node);
    flex: none;
    color: var(--accent);
  }
  .node svg {
    width: var(--node);
    height: var(--node);
  }
  .node .colon {
    font-size: 1rem;
  }
  .square {
    width: 0.5rem;
    height: 0.5rem;
    border-radius: 1px;
    background: var(--faint);
  }
  .dot {
    width: 0.5rem;
    height: 0.5rem;
    border-radius: 50%;
    border: 1.5px solid var(--line-strong);
  }
  .active > .node .dot {
    border-color: var(--accent);
    background: var(--accent);
    animation: breathe 1.2s ease-in-out infinite;
  }
  @keyframes breathe {
    50% {
      opacity: 0.35;
    }
  }
  .fold {
    display: grid;
    grid-template-rows: 0fr;
    transition: grid-template-rows var(--calm) ease;
  }
  .fold.open {
    grid-template-rows: 1fr;
  }
  ol,
  ul {
    list-style: none;
    margin: 0;
    padding: 0;
  }
  ol {
    min-height: 0;
    overflow: hidden;
    visibility: hidden;
    transition: visibility var(--calm);
  }
  .open ol {
    visibility: visible;
  }
  ol > li {
    display: grid;
    grid-template-columns: var(--node) minmax(0, 1fr);
    gap: var(--s2);
    padding: var(--s1) 0;
    position: relative;
  }
  /* The thread between the knots. */
  ol > li:not(:last-child)::after {
    content: "";
    position: absolute;
    left: calc(var(--node) / 2 - 0.5px);
    top: calc(var(--node) + var(--s2));
    bottom: calc(var(--s1) * -1);
    width: 1px;
    background: var(--line);
  }
  ol > li:first-child {
    padding-top: var(--s2);
  }
  .body {
    min-width: 0;
    overflow-wrap: anywhere;
  }
  .label {
    color: var(--soft);
  }
  .active > .body > .label {
    color: var(--ink);
  }
  .failed > .node,
  .failed > .body > .label {
    color: var(--warn);
  }
  .time {
    margin-inline-start: var(--s2);
    font-size: var(--text-xs);
    font-variant-numeric: tabular-nums;
  }
  .detail {
    display: -webkit-box;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: 3;
    line-clamp: 3;
    overflow: hidden;
    font-size: var(--text-s);
  }
  progress {
    display: block;
    width: min(14rem, 100%);
    height: 3px;
    margin: var(--s2) 0 var(--s1);
    appearance: none;
    border: 0;
    background: var(--line);
    border-radius: 2px;
  }
  progress::-webkit-progress-bar {
    background: var(--line);
    border-radius: 2px;
  }
  progress::-webkit-progress-value {
    background: var(--accent);
    border-radius: 2px;
    transition: width var(--calm);
  }
  progress::-moz-progress-bar {
    background: var(--accent);
    border-radius: 2px;
  }
  .memories li {
    padding: var(--s1) 0 var(--s1) var(--s3);
    border-inline-start: 2px solid var(--line);
    margin-top: var(--s1);
  }
  .memories .label {
    font-weight: 600;
  }
  .why {
    font-size: var(--text-xs);
  }
`;
