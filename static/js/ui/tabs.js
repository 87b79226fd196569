/**
 * Arrow keys, Home and End for a tab list whose tabs name their panels with `aria-controls`. A panel that all tabs
 * share stays, and is filled by `chosen`.
 *
 * @param {HTMLElement} list the element with role tablist
 * @param {(tab: HTMLElement) => void} chosen runs when another tab is selected, after its panel is shown
 * @returns {(tab: HTMLElement) => void} selects a tab from outside
 */
export function wireTabs(list, chosen = () => {}) {
  const tabs = () => [...list.querySelectorAll('[role="tab"]')];
  const shared = () => new Set(tabs().map((tab) => tab.getAttribute('aria-controls'))).size === 1;
  const select = (tab) => {
    for (const one of tabs()) {
      const selected = one === tab;
      one.setAttribute('aria-selected', String(selected));
      one.tabIndex = selected ? 0 : -1;
      const panel = document.getElementById(one.getAttribute('aria-controls'));
      if (panel && !shared()) panel.hidden = !selected;
    }
    chosen(tab);
  };
  list.addEventListener('click', (event) => {
    const tab = event.target.closest('[role="tab"]');
    if (tab) select(tab);
  });
  list.addEventListener('keydown', (event) => {
    const all = tabs();
    const here = all.indexOf(document.activeElement);
    const there = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: all.length - 1 }[event.key];
    if (there === undefined || here < 0) return;
    event.preventDefault();
    const tab = all[(there + all.length) % all.length];
    tab.focus();
    select(tab);
  });
  return select;
}
