/** The gift panel: tabs by tier, a grid, and the foot that grows when a gift is chosen. A sheet on a phone, fixed on a desktop. */

import { TIERS } from './catalog.js';
import { element, fill, find, inCoins, price, written } from './find.js';

export const QUANTITIES = [1, 10, 66, 99];
const WIDE = matchMedia('(min-width: 1000px)');
const COLUMNS = 4;

/** Events: `send` {gift, quantity}, `locked` {gift, why, bar}, `choose` {gift}, `quantity` {quantity}, `toggle`. */
export class GiftPanel extends EventTarget {
  #catalog;
  #money;
  #dialog = find('#panel');
  #grid = find('.panel__grid');
  #foot = find('.panel__foot');
  #send = find('.send');
  #tier = TIERS[0].id;
  #chosen = null;
  #quantity = 1;
  #allowed = false;
  #budget;

  /** @param {Catalog} catalog @param {CoinPrice} money @param {Budget} budget */
  constructor(catalog, money, budget) {
    super();
    this.#catalog = catalog;
    this.#money = money;
    this.#budget = budget;
    money.addEventListener('change', () => this.#sayTotal());
    budget.addEventListener('change', () => this.#budgeted());
    this.#send.addEventListener('click', () => this.#emit('send', { gift: this.#chosen, quantity: this.#quantity }));
    find('.panel__close').addEventListener('click', () => this.#dialog.close());
    this.#dialog.addEventListener('close', () => this.#emit('toggle'));
    this.#dialog.addEventListener('click', (event) => event.target === this.#dialog && !WIDE.matches && this.#dialog.close());
    this.#grid.addEventListener('keydown', (event) => this.#steer(event));
    WIDE.addEventListener('change', () => this.#dock());
    this.catalog = catalog;
  }

  /** A new catalogue keeps the chosen gift if it is still there. */
  set catalog(catalog) {
    this.#catalog = catalog;
    this.#chosen = this.#chosen && catalog.get(this.#chosen.id);
    this.#drawTabs();
    this.#drawGrid();
    this.#drawFoot();
  }

  get element() {
    return this.#dialog;
  }

  get chosen() {
    return this.#chosen;
  }

  /** Open as a modal sheet just now (a docked panel is not modal). */
  get modal() {
    return this.#dialog.open && !WIDE.matches;
  }

  get docked() {
    return WIDE.matches;
  }

  /** Nobody sends anonymously: without leave the panel stays shut on phones and says nothing on desktops. */
  set allowed(allowed) {
    this.#allowed = allowed;
    this.#dock();
    if (!allowed && !WIDE.matches) this.#dialog.close();
  }

  open(giftId = null) {
    if (giftId !== null && this.#catalog.get(giftId)) this.choose(this.#catalog.get(giftId));
    if (WIDE.matches || this.#dialog.open || !this.#allowed) return;
    this.#dialog.showModal();
    (this.#grid.querySelector('[tabindex="0"]') ?? find('.tab[aria-selected="true"]')).focus({ focusVisible: false });
    this.#emit('toggle');
  }

  close() {
    if (!WIDE.matches) this.#dialog.close();
  }

  choose(gift) {
    if (this.#chosen?.id !== gift.id) this.#quantity = 1;
    this.#chosen = gift;
    if (gift.tier !== this.#tier) {
      this.#tier = gift.tier;
      this.#drawTabs();
      this.#drawGrid();
    }
    for (const cell of this.#grid.children) this.#mark(cell);
    this.#drawFoot();
    this.#emit('choose', { gift });
  }

  /** While a combo of the chosen gift runs, the ring stands where the send button stood. */
  set ringing(ringing) {
    const hadFocus = document.activeElement === this.#send;
    this.#send.hidden = ringing;
    this.#foot.classList.toggle('panel__foot--ringing', ringing);
    if (ringing && hadFocus) find('.ring').focus({ focusVisible: false });
    if (!ringing && this.#dialog.open && document.activeElement === document.body) this.#send.focus({ focusVisible: false });
  }

  #dock() {
    this.#dialog.close();
    if (WIDE.matches) this.#dialog.show();
    document.activeElement?.blur?.();
    this.#emit('toggle');
  }

  #drawTabs() {
    const tiers = TIERS.filter(({ id }) => this.#catalog.tier(id).length > 0);
    const tabs = tiers.map(({ id, label }) => {
      const selected = id === this.#tier;
      const tab = element(
        'button.tab', { type: 'button', role: 'tab', 'aria-selected': String(selected), 'aria-controls': 'panel-grid', id: `tab-${id}`, tabindex: selected ? 0 : -1, data: { tier: id } },
        label,
      );
      tab.addEventListener('click', () => this.#show(id));
      tab.addEventListener('keydown', (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        this.#show(tiers[(tiers.findIndex((tier) => tier.id === id) + step + tiers.length) % tiers.length].id);
        find('.tab[aria-selected="true"]').focus();
      });
      return tab;
    });
    fill(find('.panel__head .tabs'), ...tabs);
    this.#grid.setAttribute('aria-labelledby', `tab-${this.#tier}`);
  }

  #show(tier) {
    this.#tier = tier;
    const hadFocus = document.activeElement?.matches('.tab');
    this.#drawTabs();
    this.#drawGrid();
    const tab = find('.tab[aria-selected="true"]');
    tab.scrollIntoView({ inline: 'center', block: 'nearest', behavior: 'smooth' });
    if (hadFocus) tab.focus({ focusVisible: false });
    this.#grid.scrollTop = 0;
  }

  /** Another budget: locks come and go, and the focus stays on its gift. */
  #budgeted() {
    this.#drawFoot();
    const gifts = this.#catalog.tier(this.#tier);
    const same = gifts.every((gift, i) => this.#grid.children[i].dataset.why === (this.#lock(gift).why ?? ''));
    if (same) return;
    const at = document.activeElement?.dataset?.gift;
    this.#drawGrid();
    if (at) this.#grid.querySelector(`[data-gift="${at}"]`)?.focus({ focusVisible: false, preventScroll: true });
  }

  /** Why a gift cannot be chosen: {why, bar}, `bar` when it is a limit of spending. */
  #lock(gift) {
    const why = this.#catalog.lock(gift);
    const bar = why === null && !this.#budget.resting ? this.#budget.bars(gift.coins) : null;
    return { why: why ?? bar?.why ?? null, bar };
  }

  #drawGrid() {
    this.#grid.dataset.tier = this.#tier;
    fill(this.#grid, ...this.#catalog.tier(this.#tier).map((gift, i) => this.#cell(gift, i)));
  }

  #cell(gift, i) {
    const { why, bar } = this.#lock(gift);
    const name = this.#catalog.name(gift);
    const reason = why && element('span.gift__why', {}, element('span.gift__lock', { 'aria-hidden': 'true' }), why);
    const cell = element(
      'button.gift', { type: 'button', tabindex: i === 0 ? 0 : -1, title: this.#catalog.alt(gift), data: { gift: gift.id, why: why ?? '' }, 'aria-disabled': why ? 'true' : null },
      element('span.gift__light', { 'aria-hidden': 'true' }),
      element('img.gift__art', { src: this.#catalog.art(gift), alt: '', width: 52, height: 52, loading: 'lazy', decoding: 'async' }),
      element('span.gift__name', {}, name),
      (why === null || bar !== null) && price(gift.coins, 'span.gift__price'), // what a limit bars has its price all the same
      reason ?? this.#money.tag(gift.coins),
    );
    cell.addEventListener('click', () => (why ? this.#emit('locked', { gift, why, bar }) : this.choose(gift)));
    cell.addEventListener('dblclick', () => !why && gift.combo && this.#send.hidden === false && this.#send.click());
    this.#mark(cell);
    return cell;
  }

  #mark(cell) {
    const chosen = cell.dataset.gift === this.#chosen?.id;
    cell.setAttribute('aria-pressed', String(chosen));
    if (!chosen) return;
    for (const other of this.#grid.children) other.tabIndex = -1;
    cell.tabIndex = 0;
  }

  #drawFoot() {
    const gift = this.#chosen;
    this.#foot.hidden = gift === null || this.#budget.resting;
    if (gift === null) return;
    this.#foot.dataset.tier = gift.tier;
    fill(find('.panel__chosen'), element('b', {}, this.#catalog.name(gift)), ' ', element('span.secondary', {}, this.#catalog.alt(gift)));
    const choices = gift.combo ? QUANTITIES : [];
    if (!gift.combo) this.#quantity = 1;
    this.#foot.classList.toggle('panel__foot--single', !gift.combo);
    fill(find('.panel__chips'), ...choices.map((quantity) => this.#chip(quantity)));
    const total = gift.coins * this.#quantity;
    const cost = element('span.send__price', {}, element('span.coin-mark', { 'aria-hidden': 'true' }), written(total));
    fill(this.#send, 'Send', element('span.send__cost', {}, cost, this.#money.tag(total)));
    this.#sayTotal();
  }

  #sayTotal() {
    const gift = this.#chosen;
    if (gift === null) return;
    const total = gift.coins * this.#quantity;
    const cost = [inCoins(total), this.#money.of(total)].filter(Boolean).join(', ');
    this.#send.setAttribute('aria-label', `Send ${this.#quantity > 1 ? `${this.#quantity} ` : ''}${this.#catalog.name(gift)} for ${cost}`);
  }

  #chip(quantity) {
    const chip = element('button.chip', { type: 'button', 'aria-pressed': String(quantity === this.#quantity), data: { quantity: String(quantity) } }, `×${quantity}`);
    chip.addEventListener('click', () => {
      this.#quantity = quantity;
      this.#drawFoot();
      find(`.chip[data-quantity="${quantity}"]`).focus({ focusVisible: false });
      this.#emit('quantity', { quantity });
    });
    return chip;
  }

  #steer(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: COLUMNS, ArrowUp: -COLUMNS }[event.key];
    const cells = [...this.#grid.children];
    const at = cells.indexOf(document.activeElement);
    if (step === undefined || at < 0) return;
    event.preventDefault();
    cells[Math.max(0, Math.min(cells.length - 1, at + step))].focus();
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
