// Sorts a table of class `sortable` by the column whose heading is clicked; by number where its
// cells begin with one. Without JavaScript the table is as it was written.
document.addEventListener("DOMContentLoaded", () => {
  const valueOf = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const number = text.match(/-?\d[\d,]*(\.\d+)?/);
    return number ? parseFloat(number[0].replace(/,/g, "")) : text.toLowerCase();
  };
  for (const table of document.querySelectorAll(".sortable table")) {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      heading.tabIndex = 0;
      heading.setAttribute("role", "button");
      const sort = () => {
        const ascending = heading.getAttribute("aria-sort") !== "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows].sort((a, b) => {
          const [x, y] = [valueOf(a, column), valueOf(b, column)];
          const order = typeof x === typeof y ? (x < y ? -1 : x > y ? 1 : 0) : typeof x === "number" ? -1 : 1;
          return ascending ? order : -order;
        });
        table.tBodies[0].append(...rows);
      };
      heading.addEventListener("click", sort);
      heading.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          sort();
        }
      });
    });
  }
});
