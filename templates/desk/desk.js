// What the pages of the desk do beyond plain forms. Without it everything can be done all the same, with a click more.
"use strict";

// Where something that was to happen in the midst of a page did not: a line that is read aloud, until something works.
(() => {
  const tell = (words) => {
    const line = document.getElementById("trouble");
    if (line && line.textContent !== words) line.textContent = words;
  };
  document.addEventListener("htmx:sendError", () => {
    tell("The desk does not answer. Nothing of this page has changed; it is tried again with your next step.");
  });
  document.addEventListener("htmx:timeout", () => tell("The desk takes too long to answer. Reload the page to see what was done."));
  document.addEventListener("htmx:responseError", ({ detail }) => {
    const broken = detail.xhr.status >= 500;
    tell(broken ? "Something went wrong at the desk. Reload the page to see what was done." :
      "The desk refused that, and nothing has changed. Reload the page, and try again.");
  });
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (detail.successful) tell("");
  });
})();

// Whoever works with the keyboard stays where they were when a part of the page is put in place of another.
(() => {
  const FIELDS = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";
  const name = (element) =>
    [element.localName, element.getAttribute("name"), element.getAttribute("value"), element.getAttribute("href"),
      element.getAttribute("aria-label") || element.textContent.trim(), element.form?.getAttribute("action")].join("|");
  let was = null;
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const at = document.activeElement;
    was = at && at !== document.body && detail.target.contains(at) ? { name: name(at), id: at.id, part: detail.target.id } : null;
  });
  document.addEventListener("htmx:afterSettle", () => {
    const lost = was;
    was = null;
    if (!lost || (document.activeElement && document.activeElement !== document.body)) return;
    const part = document.getElementById(lost.part) || document.getElementById("content");
    const same = (lost.id && document.getElementById(lost.id)) ||
      [...part.querySelectorAll(FIELDS)].find((each) => name(each) === lost.name);
    if (same) return same.focus({ preventScroll: true });
    if (!part.matches(FIELDS)) part.setAttribute("tabindex", "-1");
    part.focus({ preventScroll: true });
  });
})();

// The menu of a narrow window closes as menus do.
document.addEventListener("keydown", ({ key }) => {
  const menu = document.querySelector(".menu[open]");
  if (key !== "Escape" || !menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
