/* htmx: errors become toasts in the server's words; polling rests while nobody looks; a swap keeps focus, scroll and selection. */
function toast(text, level) {
  document.dispatchEvent(new CustomEvent("toast", { detail: { text, level } }));
}

function problemText(xhr) {
  const id = xhr.getResponseHeader("X-Request-Id");
  const tail = id ? ` (request ${id})` : "";
  try {
    const problem = JSON.parse(xhr.responseText);
    return [problem.title, problem.detail].filter(Boolean).join(": ") + tail;
  } catch {
    const page = new DOMParser().parseFromString(xhr.responseText, "text/html");
    const said = page.querySelector("[data-problem], .problem h1")?.textContent.trim();
    return (said || `The server answered ${xhr.status} and changed nothing it could not finish`) + tail;
  }
}

document.addEventListener("htmx:responseError", (event) => toast(problemText(event.detail.xhr), "error"));
document.addEventListener("htmx:sendError", () => toast("The server could not be reached. Check the connection; nothing was sent twice.", "error"));
document.addEventListener("htmx:timeout", () => toast("The server took too long to answer. Reload to see what happened before trying again.", "error"));

/* Polling: an element with data-live and hx-trigger="every 10s, refresh". It stops when the server leaves its hx- attributes out. */
function isPoll(event) {
  return event.target.matches("[data-live]") && !event.detail.requestConfig.triggeringEvent;
}

function isBusy(root) {
  const active = document.activeElement;
  return document.hidden || document.querySelector("dialog[open]") || (root.contains(active) && active.matches("input:not([type=checkbox]), textarea, select"));
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (isPoll(event) && isBusy(event.target)) event.preventDefault();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) document.querySelectorAll("[data-live][hx-trigger]").forEach((root) => window.htmx.trigger(root, "refresh"));
});

/* What a person had in hand before a swap, put back after it. */
let kept = null;

document.addEventListener("htmx:beforeSwap", (event) => {
  const root = event.detail.target;
  const row = root.contains(document.activeElement) ? document.activeElement.closest("tr[data-row]") : null;
  kept = {
    everything: root.querySelector("[data-all-matching]")?.value,
    checked: [...root.querySelectorAll("input[data-select]:checked")].map((box) => box.value),
    row: row?.dataset.row,
    current: root.querySelector("tr.is-current")?.dataset.row,
    opened: [...root.querySelectorAll('[data-toggle][aria-expanded="true"]')].map((button) => button.dataset.toggle),
    focus: root.contains(document.activeElement) ? document.activeElement.id : "",
    scroll: [...root.querySelectorAll(".table-scroll")].map((box) => box.scrollTop),
    y: scrollY,
  };
});

document.addEventListener("htmx:afterSettle", (event) => {
  if (!kept) return;
  const { everything, checked, row, current, opened, focus, scroll, y } = kept;
  kept = null;
  const root = (event.detail.target.id && document.getElementById(event.detail.target.id)) || event.detail.elt;
  const wanted = new Set(checked);
  root.querySelectorAll("input[data-select]").forEach((box) => (box.checked = wanted.has(box.value)));
  const matching = root.querySelector("[data-all-matching]");
  if (matching && everything) matching.value = everything;
  opened.forEach((id) => {
    document.getElementById(id)?.classList.add("is-open");
    root.querySelector(`[data-toggle="${CSS.escape(id)}"]`)?.setAttribute("aria-expanded", "true");
  });
  if (current) root.querySelector(`tr[data-row="${CSS.escape(current)}"]`)?.classList.add("is-current");
  root.querySelectorAll(".table-scroll").forEach((box, index) => (box.scrollTop = scroll[index] ?? 0));
  const target = (focus && document.getElementById(focus)) || (row && root.querySelector(`tr[data-row="${CSS.escape(row)}"]`));
  if (target?.matches("tr")) target.tabIndex = -1;
  target?.focus({ preventScroll: true });
  if (event.detail.requestConfig?.elt.matches("[data-live]")) scrollTo({ top: y });
  document.dispatchEvent(new CustomEvent("selection:refresh"));
});
