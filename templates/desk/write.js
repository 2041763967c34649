// Writing the week's issue: dragging, arrow keys, counting, and fields that keep what is being typed into them.
"use strict";

(() => {
  const TEXTS = ["subject", "preheader", "note"];
  const byId = (id) => document.getElementById(id);
  const plain = (field, text) => (field.localName === "textarea" ? text.replace(/\r\n?/g, "\n").trim() : text.trim().replace(/\s+/g, " "));
  const sent = new WeakMap(); // form -> the text that it sent last

  // What a field holds now, counted as the desk counts, and shown in the lists of messages.
  const reckon = (field) => {
    const text = plain(field, field.value);
    const most = Number(field.dataset.most);
    const long = [...text].length;
    const count = byId(`${field.id}-count`);
    count.textContent = `${long.toLocaleString("en")} of ${most.toLocaleString("en")} characters${long > most ? ": too long" : ""}`;
    count.classList.toggle("over", long > most);
    for (const place of document.querySelectorAll(`[data-shows="${field.id}"]`)) {
      place.textContent = text || byId("newest").dataset[`${field.id}Made`];
    }
  };

  // After each answer: all forms know the newest version; a field holds the newest text, unless somebody types into it.
  const settle = () => {
    const newest = byId("newest");
    if (!newest) return;
    for (const version of document.querySelectorAll("#writing input[name=version]")) version.value = newest.dataset.version;
    for (const name of TEXTS) {
      const field = byId(name);
      const theirs = newest.dataset[name];
      const mine = plain(field, field.value);
      const saved = field.dataset.saved;
      const clean = mine === plain(field, saved) || mine === plain(field, theirs);
      if (clean || plain(field, theirs) === sent.get(field.form)) {
        if (clean && mine !== plain(field, theirs)) field.value = theirs;
        field.dataset.saved = theirs;
        field.form.elements.was.value = newest.dataset[`${name}Mark`];
      }
      if (name !== "note") field.placeholder = newest.dataset[`${name}Made`];
      if (byId(`${name}-said`).querySelector(".wrong")) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
      reckon(field);
    }
    for (const way of ["undo", "redo"]) {
      const what = newest.dataset[way];
      byId(`${way}-what`).textContent = what;
      if (what) byId(way).removeAttribute("aria-disabled");
      else byId(way).setAttribute("aria-disabled", "true");
    }
  };

  const seen = () => {
    const note = byId("note");
    if (note.value !== note.dataset.looked) note.dispatchEvent(new Event("input", { bubbles: true }));
    note.dataset.looked = note.value;
  };

  document.addEventListener("input", ({ target }) => {
    if (TEXTS.includes(target.id)) reckon(target);
    if (target.id === "note") target.dataset.looked = target.value;
  });
  document.addEventListener("htmx:configRequest", ({ detail }) => {
    const form = detail.elt;
    if (form.matches("form.text")) {
      const field = form.querySelector("input:not([type=hidden]), textarea");
      sent.set(form, plain(field, field.value));
    }
  });
  // An answer that would lead away from what was typed (to the door, where a session is over) is kept from doing so.
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const { elt, xhr } = event.detail;
    const away = xhr.getResponseHeader("HX-Redirect") || xhr.getResponseHeader("HX-Refresh");
    if (!away || !elt.matches("form.text, #note")) return;
    event.preventDefault();
    const words = document.createElement("p");
    words.className = "said wrong";
    words.textContent = "This is not saved: you are not signed in here any more. Copy what you have typed, then load the page again.";
    byId("alarm").replaceChildren(words);
    elt.closest("form").querySelector("input[type=text], textarea").setAttribute("aria-invalid", "true");
    words.scrollIntoView({ block: "nearest" });
  });
  document.addEventListener("htmx:oobAfterSwap", ({ detail }) => {
    if (detail.target.id === "newest") settle();
  });
  document.addEventListener("htmx:afterSettle", seen);

  // What is not saved yet when the page is left is sent after it; whoever leaves what cannot be saved is asked first.
  const unsaved = (refused) => TEXTS.map(byId).filter((field) =>
    plain(field, field.value) !== plain(field, field.dataset.saved) && field.hasAttribute("aria-invalid") === refused);
  addEventListener("beforeunload", (event) => {
    if (unsaved(true).length) event.preventDefault();
  });
  addEventListener("pagehide", () => {
    for (const { form } of unsaved(false)) navigator.sendBeacon(form.action, new URLSearchParams(new FormData(form)));
  });

  document.addEventListener("click", (event) => {
    const take = event.target.closest("[data-take]");
    const asleep = event.target.closest("#writing button[aria-disabled=true]");
    if (asleep) event.preventDefault();
    if (!take) return;
    event.preventDefault();
    const field = byId(take.dataset.take);
    field.value = field.dataset.saved = byId("newest").dataset[field.id];
    field.form.elements.was.value = byId("newest").dataset[`${field.id}Mark`];
    byId(`${field.id}-said`).replaceChildren();
    field.removeAttribute("aria-invalid");
    reckon(field);
    seen();
    field.focus();
  });

  // Order: arrow keys press the buttons; a drag sends the order that it has made.
  document.addEventListener("keydown", (event) => {
    const piece = event.target.closest?.("#pieces > li");
    if (!piece || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    const onHandle = event.target.matches(".handle");
    if (!onHandle && (!event.altKey || event.target.matches("select"))) return;
    event.preventDefault();
    byId(`${event.key === "ArrowUp" ? "up" : "down"}-${piece.dataset.slug}`).click();
  });

  document.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest?.(".handle");
    if (!handle || event.button) return;
    const piece = handle.closest("li");
    const list = piece.parentElement;
    const order = () => [...list.children].map((each) => each.dataset.slug).join(" ");
    const before = order();
    const after = [...list.children];
    const onMove = ({ clientY }) => {
      if (clientY < 70) scrollBy(0, -14);
      if (clientY > innerHeight - 70) scrollBy(0, 14);
      const over = [...list.children].find((each) => {
        const { top, bottom } = each.getBoundingClientRect();
        return clientY >= top && clientY <= bottom;
      });
      if (!over || over === piece) return;
      const { top, height } = over.getBoundingClientRect();
      const down = over.compareDocumentPosition(piece) & Node.DOCUMENT_POSITION_PRECEDING;
      if (down && clientY > top + height / 2) over.after(piece);
      if (!down && clientY < top + height / 2) over.before(piece);
    };
    const stop = (kept) => {
      list.classList.remove("dragging");
      piece.classList.remove("dragged");
      for (const [name, what] of heard) removeEventListener(name, what);
      if (!list.isConnected) return; // another answer came in the midst of it
      if (!kept) return list.replaceChildren(...after);
      if (order() === before) return;
      const form = byId("order");
      form.elements.slug.value = piece.dataset.slug;
      form.elements.slugs.value = order();
      form.requestSubmit();
    };
    const heard = [
      ["pointermove", onMove],
      ["pointerup", () => stop(true)],
      ["pointercancel", () => stop(false)],
      ["keydown", ({ key }) => key === "Escape" && stop(false)],
    ];
    for (const [name, what] of heard) addEventListener(name, what);
    list.classList.add("dragging");
    piece.classList.add("dragged");
    event.preventDefault(); // no text is marked meanwhile
    handle.focus({ preventScroll: true });
  });

  for (const name of TEXTS) if (byId(name)) reckon(byId(name));
})();
