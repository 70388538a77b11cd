"""The stylesheet of the sandbox's page."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #5a6475; --line: #d9dee7; --back: #f5f6f9; --card: #fff;
  --bad: #b3261e; --badback: #fdecea; --good: #1b6e3c; --link: #1f5fbf; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #9aa5b8; --line: #333b49; --back: #14181f;
  --card: #1c222c; --bad: #ff9b92; --badback: #3a1d1b; --good: #7fd6a0; --link: #8ab6ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1rem; }
h1 { margin: 0; font-size: 1.4rem; } h2 { margin: 0 0 .5rem; font-size: 1.05rem; }
h3 { margin: 1rem 0 .4rem; font-size: .9rem; color: var(--soft); }
header p, footer, small { color: var(--soft); } header p { margin: 0 0 1rem; }
a { color: var(--link); } code { font-size: .9em; overflow-wrap: anywhere; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); padding: 0;
  border: 0; background: none; }
section, article { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; margin: 0 0 1rem; }
article { margin: 0; } article p { margin: 0 0 .5rem; color: var(--soft); }
table { width: 100%; border-collapse: collapse; } th { text-align: left; font-weight: 500; }
th, td { padding: .3rem .5rem .3rem 0; border-top: 1px solid var(--line); white-space: nowrap; }
thead th { border: 0; color: var(--soft); font-size: .85rem; }
.n { text-align: right; font-variant-numeric: tabular-nums; } .wide { overflow-x: auto; }
article td { white-space: normal; }
section.bad { background: var(--badback); border-color: var(--bad); } .bad h2, li.bad span { color: var(--bad); }
.good { color: var(--good); margin: 0; } ul { margin: 0; padding-left: 1.2rem; }
ul.faults { padding: 0; list-style: none; }
ul.faults li { display: flex; flex-wrap: wrap; gap: .5rem; justify-content: space-between; padding: .4rem 0; }
button { min-height: 2.25rem; margin: 0 .4rem .4rem 0; padding: .3rem .8rem; border: 1px solid var(--line); border-radius: 6px;
  background: var(--back); color: var(--ink); font: inherit; cursor: pointer; }
button:hover, button:focus-visible { border-color: var(--link); outline: 2px solid var(--link); outline-offset: 1px; }
"""
