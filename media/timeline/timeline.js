// @ts-check
/// <reference lib="dom" />
/** The page of the team's timeline: keys in the picture, and buttons in the table. It asks nobody for anything. */
(() => {
  // VS Code gives it to its pages.
  const editor = /** @type {any} */ (globalThis).acquireVsCodeApi();
  const main = /** @type {HTMLElement} */ (document.querySelector('main'));
  /**
   * Where the person was: the row of a bar, or the id of a line or a button and at which line that is. VS Code keeps it
   * while the page is hidden.
   */
  let place = /** @type {{ row?: string, id?: string, at?: number, chosen?: string }} */ (
    editor.getState() ?? {}
  );

  const bars = () => /** @type {HTMLElement[]} */ ([...main.querySelectorAll('rect[data-row]')]);

  const lines = () => [...main.querySelectorAll('tbody tr')];

  const remember = (/** @type {typeof place} */ there) => {
    place = { chosen: place.chosen, ...there };
    editor.setState(place);
  };

  /** One bar at a time can be reached by Tab; arrow keys go on from it. */
  const offer = (/** @type {HTMLElement | undefined} */ bar) => {
    for (const each of bars()) each.setAttribute('tabindex', each === bar ? '0' : '-1');
  };

  const mark = (/** @type {string | undefined} */ id) => {
    for (const each of main.querySelectorAll('tr.chosen')) each.classList.remove('chosen');
    const line = document.getElementById(id ?? '');
    line?.classList.add('chosen');
    return line;
  };

  const goToLine = (/** @type {HTMLElement} */ bar) => {
    const line = mark(bar.dataset.row);
    remember({ chosen: bar.dataset.row });
    line?.scrollIntoView({ block: 'nearest' });
    line?.focus();
  };

  const focusPlace = () => {
    const bar = bars().find((each) => each.dataset.row === place.row);
    // What is extended goes on as other access in the same line, whose button is another.
    const line = /** @type {HTMLElement | undefined} */ (lines()[place.at ?? -1]);
    (bar ?? document.getElementById(place.id ?? '') ?? line)?.focus({ preventScroll: true });
  };

  const settle = () => {
    offer(bars().find((each) => each.dataset.row === place.row) ?? bars()[0]);
    mark(place.chosen);
  };

  const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -Infinity, End: Infinity };

  document.addEventListener('keydown', (event) => {
    const all = bars();
    const index = all.indexOf(/** @type {HTMLElement} */ (event.target));
    if (index < 0) return;
    if (event.key === 'Enter' || event.key === ' ') goToLine(all[index]);
    else if (event.key in STEPS) {
      const next = index + STEPS[/** @type {keyof typeof STEPS} */ (event.key)];
      const bar = all[Math.max(0, Math.min(all.length - 1, next))];
      offer(bar);
      bar.focus();
    } else return;
    event.preventDefault();
  });

  document.addEventListener('focusin', (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.dataset.row !== undefined) remember({ row: target.dataset.row });
    else if (target.id !== '') {
      remember({ id: target.id, at: lines().findIndex((line) => line.contains(target)) });
    }
  });

  document.addEventListener('click', (event) => {
    const target = /** @type {Element} */ (event.target);
    const bar = target.closest('rect[data-row]');
    if (bar !== null) goToLine(/** @type {HTMLElement} */ (bar));
    const button = /** @type {HTMLElement | null} */ (target.closest('button[data-act]'));
    if (button !== null) editor.postMessage({ act: button.dataset.act, grantId: button.dataset.grant });
  });

  // Whoever comes back to the page, from a question that a button asked or from another tab, is where they were.
  globalThis.addEventListener('focus', () => {
    if (document.activeElement === document.body) focusPlace();
  });

  globalThis.addEventListener('message', ({ data }) => {
    // What is said again while nothing changed takes nothing away.
    if (typeof data?.content !== 'string' || data.content === main.dataset.drawn) return;
    // Of somebody who answers a question elsewhere the focus is not taken.
    const isHere = document.hasFocus() && main.contains(document.activeElement);
    main.replaceChildren(...new DOMParser().parseFromString(data.content, 'text/html').body.childNodes);
    main.dataset.drawn = data.content;
    settle();
    if (isHere) focusPlace();
  });

  settle();
  editor.postMessage({ act: 'stand' });
})();
