// What scrolls can be reached with the keyboard, and nothing else becomes a stop.
const reach = () => document.querySelectorAll("article pre, article .table-wrapper, article .equation").forEach(box => {
  if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.setAttribute("tabindex", "0");
  else box.removeAttribute("tabindex");
});
addEventListener("load", reach);
addEventListener("resize", reach);
