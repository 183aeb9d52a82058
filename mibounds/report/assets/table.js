// A table of one study: sorted by its headers, filtered by what is written below them, a page at a time.
const PAGE = 50;
const SUGGESTED = 40;
let lists = 0;

class TableView {
  constructor(study, table, changed) {
    Object.assign(this, { study, table, changed, filters: new Map(), sort: null, page: 0 });
    this.inputs = new Map();
    this.headers = new Map();
    this.count = make("p", { class: "count", role: "status" });
    this.body = make("tbody");
    this.pager = make("div", { class: "pager" });
    this.clear = make("button", { type: "button", onclick: () => this.show(new Map()) }, "Clear filters");
    const save = make("button", { type: "button", onclick: () => this.save() }, "Save as CSV");
    this.element = make(
      "div",
      { class: "table-view" },
      make("div", { class: "bar" }, this.count, this.clear, save),
      make("p", { class: "hint" }, "Filter a column by 8|16, >0.5, 1..2 or part of a text; sort by its name."),
      this.scroll(),
      this.pager,
    );
    this.update();
  }

  scroll() {
    const names = make("tr");
    const filters = make("tr", { class: "filter-row" });
    for (const column of this.table.columns) {
      const button = make("button", { type: "button", onclick: () => this.sortBy(column.name) }, column.name);
      const header = make("th", { scope: "col", class: column.numeric ? "number" : null }, button);
      this.headers.set(column.name, header);
      names.append(header);
      filters.append(make("td", {}, this.filterInput(column)));
    }
    const head = make("thead", {}, names, filters);
    const label = `Rows of ${this.table.name} of the study ${this.study}`;
    const table = make("table", {}, make("caption", { class: "visually-hidden" }, label), head, this.body);
    return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, table);
  }

  filterInput(column) {
    const values = column.distinct();
    const id = `values-${(lists += 1)}`;
    const suggest = values.length > 1 && values.length <= SUGGESTED;
    const input = make("input", {
      type: "text",
      size: 6,
      placeholder: "all",
      autocomplete: "off",
      spellcheck: "false",
      "aria-label": `filter ${column.name}`,
      list: suggest ? id : null,
      oninput: () => this.filter(column.name, input.value),
    });
    this.inputs.set(column.name, input);
    const list = suggest && make("datalist", { id }, ...values.map((value) => make("option", { value })));
    return make("span", {}, input, list || null);
  }

  filter(name, text) {
    if (text.trim() === "") this.filters.delete(name);
    else this.filters.set(name, text);
    this.page = 0;
    this.update();
  }

  // Replace all filters.
  show(filters) {
    this.filters = new Map([...filters].filter(([name]) => this.table.by.has(name)));
    for (const [name, input] of this.inputs) input.value = this.filters.get(name) ?? "";
    this.page = 0;
    this.update();
  }

  sortBy(name) {
    const turned = this.sort?.name === name && this.sort.direction === "ascending";
    this.sort = { name, direction: turned ? "descending" : "ascending" };
    this.update(false);
  }

  update(filtered = true) {
    if (filtered) this.rows = passing(this.table, this.filters);
    const column = this.sort && this.table.by.get(this.sort.name);
    this.order = column ? sorted(this.rows, column, this.sort.direction) : this.rows;
    for (const [name, header] of this.headers) {
      header.setAttribute("aria-sort", this.sort?.name === name ? this.sort.direction : "none");
      header.classList.toggle("filtered", this.filters.has(name));
    }
    this.draw();
    if (filtered) this.changed(this);
  }

  draw() {
    const { rows, columns } = this.table;
    const pages = Math.max(1, Math.ceil(this.order.length / PAGE));
    const first = this.page * PAGE;
    const page = this.order.slice(first, first + PAGE);
    const shown = this.order.length.toLocaleString("en");
    this.count.textContent = this.filters.size ? `${shown} of ${rows.toLocaleString("en")} rows` : `${shown} rows`;
    this.clear.hidden = this.filters.size === 0;
    const line = (row) =>
      make(
        "tr",
        {},
        ...columns.map((column) => make("td", { class: column.numeric ? "number" : null }, column.shown(row))),
      );
    this.body.replaceChildren(...page.map(line));
    this.turning(pages, first, page.length);
  }

  turning(pages, first, count) {
    const turn = (by) => () => {
      this.page += by;
      this.draw();
      this.element.querySelector(".scroll").scrollTop = 0;
    };
    const button = (text, by, off) => make("button", { type: "button", disabled: off, onclick: turn(by) }, text);
    this.pager.replaceChildren(
      button("Previous", -1, this.page === 0),
      make("span", {}, count ? `${first + 1} to ${first + count} of ${this.order.length}` : "no row passes"),
      button("Next", 1, this.page >= pages - 1),
    );
  }

  save() {
    const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const lines = this.order.map((row) => this.table.columns.map((column) => quoted(column.shown(row))).join(","));
    const head = this.table.columns.map((column) => quoted(column.name)).join(",");
    const file = new Blob([[head, ...lines].join("\n"), "\n"], { type: "text/csv" });
    const link = make("a", { href: URL.createObjectURL(file), download: `${this.study}-${this.table.name}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}
