// @ts-check
/// <reference lib="dom" />
/** The page of the team's timeline: keys in the picture, and buttons in the table. It asks nobody for anything. */
(() => {
  // VS Code gives it to its pages.
  const editor = /** @type {any} */ (globalThis).acquireVsCodeApi();
  const bars = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('rect[data-row]')]);

  /** One bar at a time can be reached by Tab; arrow keys go on from it. */
  const choose = (/** @type {number} */ index) => {
    const bar = bars[Math.max(0, Math.min(bars.length - 1, index))];
    if (bar === undefined) return;
    for (const each of bars) each.setAttribute('tabindex', each === bar ? '0' : '-1');
    bar.focus();
    editor.setState({ row: bar.dataset.row });
  };

  const goToLine = (/** @type {HTMLElement} */ bar) => {
    const line = document.getElementById(bar.dataset.row ?? '');
    for (const each of document.querySelectorAll('tr.chosen')) each.classList.remove('chosen');
    line?.classList.add('chosen');
    line?.scrollIntoView({ block: 'nearest' });
    line?.focus();
  };

  const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -Infinity, End: Infinity };

  document.addEventListener('keydown', (event) => {
    const index = bars.indexOf(/** @type {HTMLElement} */ (event.target));
    if (index < 0) return;
    if (event.key === 'Enter' || event.key === ' ') goToLine(bars[index]);
    else if (event.key in STEPS) choose(index + STEPS[/** @type {keyof typeof STEPS} */ (event.key)]);
    else return;
    event.preventDefault();
  });

  document.addEventListener('click', (event) => {
    const target = /** @type {Element} */ (event.target);
    const bar = target.closest('rect[data-row]');
    if (bar !== null) goToLine(/** @type {HTMLElement} */ (bar));
    const button = /** @type {HTMLElement | null} */ (target.closest('button[data-act]'));
    if (button === null) return;
    editor.setState({ button: button.id });
    editor.postMessage({ act: button.dataset.act, grantId: button.dataset.grant });
  });

  // The page is drawn anew when something happened: whoever was in it stays where they were.
  const state = editor.getState();
  const before = bars.findIndex((bar) => bar.dataset.row === state?.row);
  if (bars.length > 0) bars[Math.max(0, before)].setAttribute('tabindex', '0');
  if (state?.button !== undefined) document.getElementById(state.button)?.focus();
  else if (before >= 0) bars[before].focus();
})();
