/* Theme light, dark or auto. Runs in the head, before the first paint, so that no wrong theme flashes. */
(() => {
  const KEY = "meshline.theme";
  const ORDER = ["auto", "light", "dark"];
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    try {
      return ORDER.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : "auto";
    } catch {
      return "auto"; // storage blocked: follow the system
    }
  }

  function apply(choice) {
    const root = document.documentElement;
    root.dataset.bsTheme = choice === "auto" ? (dark.matches ? "dark" : "light") : choice;
    root.dataset.themeChoice = choice;
    document.querySelectorAll("[data-theme-toggle]").forEach((button) => {
      button.setAttribute("aria-label", `Theme: ${choice}. Change`);
      button.title = `Theme: ${choice}`;
    });
  }

  function cycle() {
    const next = ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length];
    try {
      localStorage.setItem(KEY, next);
    } catch {
      /* not kept, but applied to this page */
    }
    apply(next);
  }

  document.documentElement.classList.add("js");
  apply(chosen());
  dark.addEventListener("change", () => apply(chosen()));
  addEventListener("storage", (event) => event.key === KEY && apply(chosen()));
  document.addEventListener("DOMContentLoaded", () => apply(chosen()));
  document.addEventListener("click", (event) => event.target.closest("[data-theme-toggle]") && cycle());
})();
