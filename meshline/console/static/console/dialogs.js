/* Small behaviours bound by data attributes: dialogs, confirmation, menus, toggles, copying, filling the demo log-in. */
let asked = null; // what a yes in the confirmation goes on with

function ask(text, goOn) {
  const dialog = document.getElementById("confirm");
  dialog.querySelector("[data-confirm-text]").textContent = text;
  asked = goOn;
  dialog.showModal();
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    document.dispatchEvent(new CustomEvent("toast", { detail: { text: "Copied", level: "success" } }));
  } catch {
    document.dispatchEvent(new CustomEvent("toast", { detail: { text: `The browser refused to copy. The value is: ${button.dataset.copy}`, level: "error" } }));
  }
}

function toggle(button) {
  const open = document.getElementById(button.dataset.toggle).classList.toggle("is-open");
  button.setAttribute("aria-expanded", String(open));
}

function fillLogin(button) {
  document.getElementById("id_username").value = button.dataset.fillUsername;
  document.getElementById("id_password").value = button.dataset.fillPassword;
  document.querySelector(".login-card button[type=submit]").focus();
}

const ACTIONS = {
  "[data-dialog]": (button) => document.getElementById(button.dataset.dialog).showModal(),
  "[data-close]": (button) => button.closest("dialog").close(),
  "[data-toggle]": toggle,
  "[data-copy]": copy,
  "[data-back]": () => history.back(),
  "[data-fill-username]": fillLogin,
  "[data-confirm-yes]": (button) => {
    const goOn = asked;
    button.closest("dialog").close();
    goOn?.();
  },
};

document.addEventListener("click", (event) => {
  for (const [selector, act] of Object.entries(ACTIONS)) {
    const button = event.target.closest(selector);
    if (button) act(button);
  }
  if (event.target.matches("dialog[open]")) event.target.close(); // the backdrop
  document.querySelectorAll("details[data-menu][open]").forEach((menu) => menu.contains(event.target) || (menu.open = false));
});
document.addEventListener("close", (event) => event.target.id === "confirm" && (asked = null), true);

/* Forms with data-confirm ask first; so do hx-confirm requests, in the same dialog. */
document.addEventListener("submit", (event) => {
  const text = event.submitter?.dataset.confirm ?? event.target.dataset.confirm;
  if (!text || event.target.dataset.confirmed) return delete event.target.dataset.confirmed;
  event.preventDefault();
  event.stopPropagation();
  ask(text, () => {
    event.target.dataset.confirmed = "yes";
    event.target.requestSubmit(event.submitter ?? undefined);
  });
}, true);
document.addEventListener("htmx:confirm", (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  ask(event.detail.question, () => event.detail.issueRequest(true));
});
