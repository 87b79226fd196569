"""The pages' own look: light, neutral, and nothing that could be mistaken for the merchant's."""

from typing import Final

STYLE: Final = """
* { box-sizing: border-box; }
:root {
  color-scheme: light;
  --ink: #1b2430; --soft: #566273; --line: #d5dae1; --control: #7b8798; --act: #1d5fbf; --wrong: #b3261e;
}
body { margin: 0; background: #f3f5f8; color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
.banner {
  margin: 0; padding: 8px 16px; background: #fff1c9; color: #5b4300;
  text-align: center; font-size: 14px; font-weight: 600;
}
main { max-width: 480px; margin: 0 auto; padding: 24px 16px 48px; display: grid; gap: 20px; }
h1 { margin: 0; font-size: 16px; font-weight: 500; color: var(--soft); overflow-wrap: anywhere; }
h2, .card > h1 { margin: 0 0 8px; font-size: 20px; font-weight: 650; line-height: 1.3; color: var(--ink); }
p { margin: 0 0 12px; overflow-wrap: anywhere; }
.amount {
  margin: 0; font-size: 36px; font-weight: 650; line-height: 1.2; font-variant-numeric: tabular-nums;
}
.soft { color: var(--soft); font-size: 14px; }
.order, .pay { min-width: 0; display: grid; gap: 12px; align-content: start; }
.pay { gap: 20px; }
.card {
  min-width: 0; margin: 0; padding: 20px; background: #fff;
  border: 1px solid var(--line); border-radius: 14px; box-shadow: 0 1px 3px #1b24300f;
}
.alert {
  margin: 0; padding: 12px 16px; background: #fdeeed; color: #8c1d17; border: 1px solid #e7b4b0; border-radius: 10px;
}

.methods { display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px; }
.methods legend { float: left; grid-column: 1 / -1; padding: 0; font-weight: 600; }
.tab, .tab + label { grid-row: 2; min-height: 48px; }
.tab {
  appearance: none; width: 100%; height: 100%; margin: 0; background: #fff;
  border: 1px solid var(--control); border-radius: 10px; cursor: pointer;
}
.tab + label {
  display: grid; place-items: center; padding: 4px; pointer-events: none;
  text-align: center; font-size: 14px; font-weight: 600; line-height: 1.2;
}
.tab:checked { background: #eaf1fc; border: 2px solid var(--act); }
#by-card, #by-card + label { grid-column: 1; }
#by-wallet, #by-wallet + label { grid-column: 2; }
#by-bank, #by-bank + label { grid-column: 3; }
.panel { display: none; grid-column: 1 / -1; grid-row: 3; margin-top: 12px; }
#by-card:checked ~ #card, #by-wallet:checked ~ #wallet, #by-bank:checked ~ #bank { display: block; }

.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; align-items: start; }
.field { min-width: 0; margin: 0 0 16px; }
.field label { display: block; margin-bottom: 4px; font-size: 14px; font-weight: 600; }
.field input {
  width: 100%; min-height: 48px; padding: 8px 12px; background: #fff; color: inherit; font: inherit;
  font-variant-numeric: tabular-nums; border: 1px solid var(--control); border-radius: 10px;
}
.field input::placeholder { color: var(--soft); opacity: 1; }
.field input[aria-invalid] { border: 2px solid var(--wrong); }
.wrong { margin: 4px 0 0; color: var(--wrong); font-size: 14px; }

button, .button {
  display: flex; align-items: center; justify-content: center; width: 100%; min-height: 48px; padding: 8px 16px;
  background: var(--act); color: #fff; border: 1px solid var(--act); border-radius: 10px;
  font: inherit; font-weight: 600; text-align: center; text-decoration: none; cursor: pointer;
}
button:hover, .button:hover { background: #174d9c; }
.quiet { background: #fff; color: var(--ink); border-color: var(--control); }
.quiet:hover { background: #e9edf2; }
.card > form, .card > .button { margin-top: 12px; }
.card > .amount { margin-bottom: 12px; }
.tab:focus-visible, input:focus-visible, button:focus-visible, a:focus-visible, summary:focus-visible {
  outline: 3px solid #b35c00; outline-offset: 2px;
}

summary { min-height: 44px; display: flex; align-items: center; font-weight: 600; cursor: pointer; }
summary::before { content: "+"; width: 24px; }
details[open] summary::before { content: "\\2212"; }
details.card { padding: 8px 20px; }
dl { margin: 0; font-size: 14px; }
dl div {
  padding: 8px 0; display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 16px;
  border-top: 1px solid var(--line);
}
dt { font-weight: 600; font-variant-numeric: tabular-nums; }
dd { margin: 0; color: var(--soft); }

@media (min-width: 1000px) {
  main { padding-top: 72px; }
  main.wide { max-width: 980px; grid-template-columns: 1fr 480px; gap: 56px; align-items: start; }
  .wide > .order { position: sticky; top: 72px; }
  .wide .amount { font-size: 44px; }
}
"""
"""Style sheet of every page; it stands in the page, and the page's policy allows only it, by its hash."""
