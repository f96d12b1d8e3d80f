/** The style of the panel. It is in a shadow root: nothing of the page reaches in, and nothing leaks out. */
export const PANEL_STYLE = `
:host {
  all: initial;
  color-scheme: inherit;
  --paper: light-dark(#ffffff, #1f2126);
  --raised: light-dark(#f4f3ef, #2a2d34);
  --ink: light-dark(#23252b, #eceae4);
  --faint: light-dark(#5f636d, #a6aab3);
  --line: light-dark(#dedad0, #3b3f48);
  --good: light-dark(#1d7a4f, #6fd3a2);
  --waiting: light-dark(#9a5b00, #f2b25c);
  --bad: light-dark(#b3261e, #ff8f85);
  --focus: light-dark(#1f5fd0, #8db8ff);
}
* { box-sizing: border-box; }
button, .panel {
  font: 13px/1.4 system-ui, sans-serif;
  color: var(--ink);
}
button {
  min-height: 28px;
  min-width: 28px;
  padding: 2px 10px;
  background: var(--paper);
  border: 1px solid var(--line);
  border-radius: 999px;
  cursor: pointer;
}
button:hover { border-color: var(--faint); }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 1px; }
.launcher { max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.floating {
  position: fixed;
  z-index: 2147483646;
  box-shadow: 0 2px 10px rgb(0 0 0 / 20%);
}
.dot::before {
  content: '';
  display: inline-block;
  width: 8px;
  height: 8px;
  margin-right: 6px;
  border-radius: 50%;
  background: var(--waiting);
}
.good::before { background: var(--good); }
.bad::before { background: var(--bad); }
.panel {
  position: fixed;
  inset: auto;
  width: min(380px, 100vw - 16px);
  max-height: min(560px, 100vh - 16px);
  margin: 8px;
  padding: 0;
  overflow: auto;
  overscroll-behavior: contain;
  background: var(--paper);
  border: 1px solid var(--line);
  border-radius: 12px;
  box-shadow: 0 8px 30px rgb(0 0 0 / 28%);
}
.panel:not(:popover-open) { display: none; }
.left { left: 0; }
.right { right: 0; }
.top { top: 0; }
.bottom { bottom: 0; }
.launcher.floating { margin: 8px; max-width: calc(100vw - 16px); }
header {
  position: sticky;
  top: 0;
  display: flex;
  align-items: center;
  gap: 8px;
  padding: 8px 8px 8px 14px;
  background: var(--paper);
  border-bottom: 1px solid var(--line);
}
h2 {
  flex: 1;
  min-width: 0;
  margin: 0;
  font-size: 13px;
  font-weight: 600;
  overflow-wrap: anywhere;
}
header button { padding: 2px 8px; }
dl {
  display: grid;
  grid-template-columns: auto minmax(0, 1fr);
  gap: 3px 14px;
  margin: 0;
  padding: 10px 14px;
  font-variant-numeric: tabular-nums;
}
dt, .none, time, .bytes { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
.problem {
  margin: 0 14px 10px;
  padding: 8px 10px;
  background: var(--raised);
  border-left: 3px solid var(--bad);
  border-radius: 4px;
  overflow-wrap: anywhere;
}
section { border-top: 1px solid var(--line); padding: 8px 14px 10px; }
h3 { margin: 0 0 4px; font-size: 13px; font-weight: 600; }
ol { margin: 0; padding: 0; list-style: none; }
li { overflow-wrap: anywhere; }
li + li { border-top: 1px solid var(--line); }
.refusals li { padding: 4px 0; }
.refusals b { font-weight: 600; color: var(--bad); }
.frames { font-variant-numeric: tabular-nums; }
summary {
  display: flex;
  gap: 8px;
  align-items: baseline;
  min-height: 24px;
  padding: 2px 0;
  cursor: pointer;
}
summary::-webkit-details-marker { display: none; }
summary span:nth-child(2) { flex: 1; min-width: 0; }
pre {
  margin: 0 0 6px;
  padding: 6px 8px;
  max-height: 160px;
  overflow: auto;
  background: var(--raised);
  border-radius: 6px;
  font: 12px/1.4 ui-monospace, 'SF Mono', Menlo, monospace;
  white-space: pre-wrap;
  overflow-wrap: anywhere;
}
p { margin: 0; }
/* On a phone, the page stays in sight. */
@media (max-width: 30rem) {
  .panel { max-height: 62vh; }
}
`;
