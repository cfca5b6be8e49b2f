"use strict";
// what figures include belongs on paper as well
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details.printed")) details.open = true;
});
// Without this the tables stand in the suite's order.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const suite = [...body.rows];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => sort(head, column));
  });
  // ascending, descending, and then the suite's order again
  function sort(head, column) {
    const before = head.getAttribute("aria-sort");
    for (const other of heads) other.removeAttribute("aria-sort");
    if (before === "descending") {
      body.append(...suite);
      return;
    }
    const direction = before === "ascending" ? -1 : 1;
    head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    const keyed = suite.map((row) => [row.cells[column].dataset.value, row]);
    keyed.sort(([one], [other]) => {
      // what is missing is last either way
      if (one === undefined || other === undefined) return (one === undefined) - (other === undefined);
      const difference = Number(one) - Number(other);
      return direction * (Number.isNaN(difference) ? one.localeCompare(other, "en", { numeric: true }) : difference);
    });
    body.append(...keyed.map(([, row]) => row));
  }
}
