/* Toasts: server messages and `document.dispatchEvent(new CustomEvent("toast", {detail: {text, level}}))`. Errors stay. */
const STAY_MS = 6000;

function expire(item) {
  if (!item.classList.contains("toast-error")) setTimeout(() => item.remove(), STAY_MS);
}

function show({ text, level = "info" }) {
  const item = document.createElement("div");
  item.className = `toast-item toast-${level}`;
  if (level === "error") item.setAttribute("role", "alert");
  const words = document.createElement("span");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "btn-quiet";
  close.dataset.dismiss = "";
  close.setAttribute("aria-label", "Dismiss");
  close.textContent = "×";
  item.append(words, close);
  document.getElementById("toasts").append(item);
  expire(item);
}

document.addEventListener("toast", (event) => show(event.detail));
document.addEventListener("click", (event) => event.target.closest("[data-dismiss]")?.closest(".toast-item").remove());
document.querySelectorAll(".toast-item").forEach(expire);
