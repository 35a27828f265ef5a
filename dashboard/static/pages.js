// What plain HTML cannot: the form's token for htmx, a slider's number beside it, and "are you sure".
"use strict";
document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRF-Token"] = document.querySelector('meta[name="csrf"]').content;
});
const show = (slider) => {
  const output = document.querySelector(`output[for="${CSS.escape(slider.id)}"]`);
  if (output) output.value = Number(slider.value).toLocaleString(document.documentElement.lang);
};
document.addEventListener("input", (event) => {
  if (event.target.matches('input[type="range"]')) show(event.target);
});
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});
