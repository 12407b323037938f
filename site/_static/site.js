// What is wider than its place can be scrolled; let the keyboard reach it too.
"use strict";
addEventListener("load", () => {
  // The captions of the list of pages say that they are headings, and not of which level.
  for (const caption of document.querySelectorAll("[role=heading]:not([aria-level])")) caption.setAttribute("aria-level", "2");
  const reachable = () => {
    for (const box of document.querySelectorAll(".highlight pre, .table-wrapper, .cell_output > *, mjx-container")) {
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
      } else {
        box.removeAttribute("tabindex");
      }
    }
  };
  reachable();
  addEventListener("resize", reachable);
});
