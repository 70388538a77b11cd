/* Selectable rows: boxes are input[data-select] in a form[data-bulk]; shift-click takes a range; the bulk bar counts and sums. */
let last = null;

const boxes = (form) => [...form.querySelectorAll("input[data-select]")];

/* Sums per currency in exact integers: a binary float has no place near money. */
function sum(rows) {
  const totals = new Map();
  for (const { amount, currency } of rows) {
    const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(amount ?? "");
    if (!match) continue;
    const units = BigInt(match[1] + match[2] + (match[3] ?? "").padEnd(6, "0").slice(0, 6));
    totals.set(currency, (totals.get(currency) ?? 0n) + units);
  }
  return [...totals].map(([currency, units]) => `${currency} ${write(units)}`).join(" · ");
}

function write(units) {
  const text = String(units < 0n ? -units : units).padStart(7, "0");
  const whole = text.slice(0, -6).replace(/\B(?=(\d{3})+$)/g, ",");
  const rest = text.slice(-6).replace(/0{1,4}$/, "");
  return `${units < 0n ? "-" : ""}${whole}.${rest}`;
}

function setMatching(form, on) {
  const field = form.querySelector("[data-all-matching]");
  if (field) field.value = on ? "1" : "";
}

function refresh(form) {
  const all = boxes(form);
  const chosen = all.filter((box) => box.checked);
  const head = form.querySelector("[data-select-all]");
  if (head) {
    head.checked = all.length > 0 && chosen.length === all.length;
    head.indeterminate = chosen.length > 0 && chosen.length < all.length;
  }
  all.forEach((box) => box.closest("tr")?.classList.toggle("is-selected", box.checked));
  const bar = form.querySelector("[data-bulkbar]");
  if (!bar) return;
  bar.hidden = chosen.length === 0;
  const everything = form.querySelector("[data-all-matching]")?.value;
  const more = bar.querySelector("[data-select-matching]");
  if (more) more.hidden = Boolean(everything) || chosen.length < all.length;
  bar.querySelector("[data-count]").textContent = everything ? `All matching (${more?.textContent.match(/[\d,]+/)?.[0] ?? "?"})` : chosen.length;
  bar.querySelector("[data-sums]").textContent = everything ? "" : sum(chosen.map((box) => box.dataset));
}

document.addEventListener("click", (event) => {
  const box = event.target.closest("input[data-select]");
  const form = event.target.closest("form[data-bulk]");
  if (!form) return;
  if (box) {
    const all = boxes(form);
    if (event.shiftKey && last && all.includes(last)) {
      const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
      all.slice(from, to + 1).forEach((other) => (other.checked = box.checked));
    }
    last = box;
  }
  if (event.target.closest("[data-select-matching]")) {
    setMatching(form, true);
    refresh(form);
  }
});

document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-bulk]");
  if (!form || !event.target.matches("[data-select], [data-select-all]")) return;
  if (event.target.matches("[data-select-all]")) boxes(form).forEach((box) => (box.checked = event.target.checked));
  setMatching(form, false);
  refresh(form);
});

const refreshAll = () => document.querySelectorAll("form[data-bulk]").forEach(refresh);
document.addEventListener("selection:refresh", refreshAll);
document.addEventListener("selection:clear", () => {
  document.querySelectorAll("form[data-bulk]").forEach((form) => {
    boxes(form).forEach((box) => (box.checked = false));
    setMatching(form, false);
    refresh(form);
  });
});
refreshAll();
