// Tables sort by a click on a heading: numbers as numbers, "-" and other words after them; a second click turns it round.
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("article table:not([class])")) {
    for (const heading of table.querySelectorAll("thead th")) sortedBy(heading, table);
  }
});

function sortedBy(heading, table) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "sort";
  button.append(...heading.childNodes);
  heading.append(button);
  button.addEventListener("click", () => {
    const direction = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", direction);
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, key: keyOf(row.cells[heading.cellIndex].textContent.trim()) }));
    body.append(...rows.sort((a, b) => compared(a.key, b.key, direction)).map(({ row }) => row));
  });
}

// 0.057, 1,000, 84%, a true minus, "5 + 5" by its first number; what starts with no number stays text.
function keyOf(text) {
  const found = text.replaceAll(",", "").replace("\u2212", "-").match(/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?/i);
  return found && !/^\d+v\d+/.test(text) ? Number(found[0]) : text;
}

function compared(a, b, direction) {
  const [textA, textB] = [typeof a === "string", typeof b === "string"];
  if (textA !== textB) return textA ? 1 : -1; // words last, whichever way
  const order = textA ? a.localeCompare(b) : a - b;
  return direction === "ascending" ? order : -order;
}
