/** How written text looks: paragraphs, lists, code, tables. */
import { css } from "lit";

export const prose = css`
  .block > :first-child {
    margin-top: 0;
  }
  .block > :last-child {
    margin-bottom: 0;
  }
  .block + .block {
    margin-top: var(--s3);
  }
  .block:empty {
    display: none;
  }
  p,
  ul,
  ol,
  blockquote {
    margin: var(--s3) 0;
  }
  h3,
  h4,
  h5,
  h6 {
    margin: var(--s5) 0 var(--s2);
    font-size: var(--text-m);
    line-height: 1.35;
    font-weight: 650;
    text-wrap: balance;
  }
  h3 {
    font-size: var(--text-l);
  }
  .block + .block > h3:first-child,
  .block + .block > h4:first-child {
    margin-top: var(--s5);
  }
  ul,
  ol {
    padding-inline-start: 1.5em;
  }
  li {
    margin: var(--s1) 0;
  }
  li::marker {
    color: var(--faint);
    font-variant-numeric: tabular-nums;
  }
  li > p {
    margin: var(--s2) 0;
  }
  blockquote {
    padding-inline-start: var(--s4);
    border-inline-start: 2px solid var(--line-strong);
    color: var(--soft);
  }
  hr {
    border: 0;
    border-top: 1px solid var(--line);
    margin: var(--s5) 0;
  }
  code,
  kbd,
  pre {
    font-family: var(--mono);
    font-size: 0.875em;
  }
  :not(pre) > code {
    padding: 0.1em 0.35em;
    border-radius: 0.3em;
    background: var(--panel);
    box-shadow: inset 0 0 0 1px var(--line);
  }
  kbd {
    padding: 0.05em 0.4em;
    border: 1px solid var(--line-strong);
    border-bottom-width: 2px;
    border-radius: 0.3em;
  }
  .code {
    margin: var(--s3) 0;
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--panel);
  }
  .code-bar {
    display: flex;
    justify-content: space-between;
    align-items: center;
    min-height: 2rem;
    padding-inline: var(--s3) var(--s1);
    font: 400 var(--text-xs) / 1 var(--mono);
    color: var(--faint);
  }
  .code-copy {
    min-height: 1.75rem;
    padding: 0 var(--s2);
    border-radius: 0.4rem;
    font: 400 var(--text-xs) / 1 var(--sans);
    color: var(--soft);
  }
  .code-copy:hover {
    background: var(--accent-wash);
    color: var(--accent);
  }
  pre {
    margin: 0;
    padding: 0 var(--s3) var(--s3);
    overflow-x: auto;
    line-height: 1.55;
    tab-size: 4;
    overflow-wrap: normal;
  }
  .table {
    margin: var(--s3) 0;
    overflow-x: auto;
    overflow-wrap: normal;
  }
  table {
    border-collapse: collapse;
    font-variant-numeric: tabular-nums;
  }
  th,
  td {
    padding: var(--s2) var(--s4) var(--s2) 0;
    border-bottom: 1px solid var(--line);
    text-align: start;
    vertical-align: top;
  }
  th {
    font-size: var(--text-s);
    font-weight: 600;
    color: var(--soft);
    border-bottom-color: var(--line-strong);
  }
  [align="right"] {
    text-align: end;
  }
  [align="center"] {
    text-align: center;
  }
  .cite {
    display: inline-block;
    min-width: 1.4em;
    margin-inline: 0.1em;
    padding: 0 0.35em;
    border-radius: 0.7em;
    background: var(--accent-wash);
    font-size: 0.72em;
    line-height: 1.5;
    font-weight: 600;
    text-align: center;
    text-decoration: none;
    vertical-align: 0.2em;
    font-variant-numeric: tabular-nums;
  }
  .cite:hover {
    background: var(--accent);
    color: var(--accent-ink);
  }
  .hljs-keyword,
  .hljs-literal,
  .hljs-built_in,
  .hljs-selector-tag,
  .hljs-tag .hljs-name {
    color: var(--code-keyword);
  }
  .hljs-string,
  .hljs-regexp,
  .hljs-addition,
  .hljs-attribute {
    color: var(--code-string);
  }
  .hljs-number,
  .hljs-symbol,
  .hljs-variable,
  .hljs-template-variable,
  .hljs-deletion {
    color: var(--code-number);
  }
  .hljs-title,
  .hljs-attr,
  .hljs-type,
  .hljs-section {
    color: var(--code-title);
  }
  .hljs-comment,
  .hljs-meta,
  .hljs-quote {
    color: var(--code-comment);
    font-style: italic;
  }
`;
