/* Keyboard: every control with data-key="a" (or a sequence, "g q") answers to it; rows move with j and k. Never while typing. */
const SEQUENCE_MS = 1200;
const SWITCH_KEY = "meshline.keys";
const ROW_KEYS = [["j", "Next row"], ["k", "Previous row"], ["x", "Select the row"], ["enter", "Open the row"]];
let pending = "";
let timer = 0;

function isOn() {
  try {
    return localStorage.getItem(SWITCH_KEY) !== "off";
  } catch {
    return true;
  }
}

function isTyping(target) {
  return target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox]):not([type=radio]):not([type=button]):not([type=submit])");
}

const isShown = (element) => !element.disabled && !element.closest("[hidden]") && (element.getClientRects().length > 0 || element.closest(".topnav"));

function find(key) {
  return [...document.querySelectorAll("[data-key]")].find((element) => element.dataset.key === key && isShown(element));
}

function isPrefix(key) {
  return [...document.querySelectorAll("[data-key]")].some((element) => element.dataset.key.startsWith(`${key} `));
}

function press(element) {
  if (element.matches("input:not([type=checkbox]), textarea, select")) {
    element.focus();
    element.select?.();
  } else {
    element.click();
  }
}

/* Rows */
const rows = () => [...document.querySelectorAll("table[data-rows] tr[data-row]")];
const current = () => document.activeElement.closest?.("tr[data-row]") ?? document.querySelector("tr.is-current");

function go(step) {
  const all = rows();
  if (!all.length) return false;
  const at = all.indexOf(current());
  const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))];
  all.forEach((row) => row.classList.toggle("is-current", row === next));
  next.tabIndex = -1;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  return true;
}

const ROW_ACTIONS = {
  j: () => go(1),
  k: () => go(-1),
  x: () => clickIn("input[data-select]"),
  enter: () => document.activeElement.matches("tr[data-row]") && clickIn("a[data-open]"),
};

function clickIn(selector) {
  const target = current()?.querySelector(selector);
  target?.click();
  return Boolean(target);
}

/* What a list lets one do to the current row: <tr data-key-e="/address/">. Where rows are selected, the bulk bar's button answers first. */
function followRow(key) {
  const address = key.length === 1 && /[a-z]/.test(key) ? current()?.dataset[`key${key.toUpperCase()}`] : "";
  if (address) location.assign(address);
  return Boolean(address);
}

function escape() {
  const menu = document.querySelector("details[data-menu][open]");
  if (menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  } else if (isTyping(document.activeElement)) {
    document.activeElement.blur();
  } else {
    document.dispatchEvent(new CustomEvent("selection:clear"));
  }
}

/* Help */
function line(keys, label) {
  const term = document.createElement("dt");
  for (const key of keys.split(" ")) term.append(Object.assign(document.createElement("kbd"), { textContent: key }), " ");
  return [term, Object.assign(document.createElement("dd"), { textContent: label })];
}

function labelOf(element) {
  const copy = element.cloneNode(true);
  copy.querySelectorAll("kbd, .visually-hidden, .badge").forEach((part) => part.remove());
  return element.dataset.keyLabel || copy.textContent.trim() || element.getAttribute("aria-label") || "";
}

function help() {
  const seen = new Map(rows().length ? ROW_KEYS : []);
  if (document.querySelector("tr[data-key-e]")) seen.set("e", "Edit the row (fix and replay)");
  document.querySelectorAll("[data-key]").forEach((element) => seen.set(element.dataset.key, labelOf(element)));
  seen.set("esc", "Close, stop typing, or clear the selection").set("?", "This list");
  document.querySelector("[data-keys-list]").replaceChildren(...[...seen].flatMap(([keys, label]) => line(keys, label)));
  document.querySelector("[data-keys-switch]").checked = isOn();
}

document.addEventListener("toggle", (event) => event.target.id === "keys-help" && event.newState === "open" && help(), true);
document.addEventListener("click", (event) => event.target.closest('[data-dialog="keys-help"]') && help());
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-keys-switch]")) localStorage.setItem(SWITCH_KEY, event.target.checked ? "on" : "off");
});

function answer(key) {
  const sequence = pending ? `${pending} ${key}` : key;
  clearTimeout(timer);
  pending = "";
  const element = find(sequence);
  if (element) return press(element), true;
  if (isPrefix(sequence)) {
    pending = sequence;
    timer = setTimeout(() => (pending = ""), SEQUENCE_MS);
    return true;
  }
  if (key === "?") return help(), document.getElementById("keys-help").showModal(), true;
  return ROW_ACTIONS[key]?.() || followRow(key);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") return escape();
  if (isTyping(event.target) || !isOn()) return;
  const key = event.key === "Enter" ? "enter" : event.key;
  if (key.length === 1 || key === "enter") answer(key) && event.preventDefault();
});
document.addEventListener("focusin", (event) => {
  const row = event.target.closest("table[data-rows] tr[data-row]");
  if (row) rows().forEach((other) => other.classList.toggle("is-current", other === row));
});
