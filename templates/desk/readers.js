// Says of a file that it is too large before it is sent: a server that refuses it midway cannot be heard by every browser.
"use strict";

const form = document.getElementById("upload");
const chosen = document.getElementById("file");
const wrong = document.getElementById("file-wrong");

const tooLarge = () => {
  const most = Number(form.dataset.most);
  const is = chosen.files.length === 1 && chosen.files[0].size > most;
  wrong.hidden = !is;
  wrong.textContent = is ? `This file is larger than ${most / 1024 / 1024} MB. Split it, or bring it in with the command.` : "";
  chosen.setAttribute("aria-invalid", String(is));
  return is;
};

chosen.addEventListener("change", tooLarge);
form.addEventListener("submit", (event) => {
  if (tooLarge()) event.preventDefault();
});
