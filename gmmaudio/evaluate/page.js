"use strict";
// Tables sort by a click on a column's head; a second click turns the order round.
const value = (row, column) => {
  const cell = row.cells[column];
  return cell.dataset.sort === undefined ? cell.textContent.trim() : Number(cell.dataset.sort);
};
const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
for (const head of document.querySelectorAll("table.sortable thead th")) {
  head.firstElementChild.addEventListener("click", () => {
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const body = head.closest("table").tBodies[0];
    const rows = [...body.rows].sort((a, b) => sign * compare(value(a, head.cellIndex), value(b, head.cellIndex)));
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    body.append(...rows);
  });
}
