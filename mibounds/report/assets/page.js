// The page: verdicts that filter, explorers that open when they are near, addresses that lead to rows.
class Explorer {
  constructor(section) {
    this.study = section.dataset.study;
    this.place = section.querySelector(".explorer");
    this.views = new Map();
  }

  open() {
    this.opening ??= tablesOf(this.study).then((tables) => {
      this.tables = tables;
      const option = (name) => make("option", { value: name }, `${name}.csv`);
      this.names = make("select", { onchange: () => this.show(this.names.value) }, ...[...tables.keys()].map(option));
      const picker = make("label", { class: "which" }, make("span", {}, "table"), this.names);
      picker.hidden = tables.size < 2;
      this.here = make("div");
      this.place.replaceChildren(picker, this.here);
      this.show(tables.keys().next().value);
    });
    return this.opening;
  }

  show(name) {
    this.names.value = name;
    if (!this.views.has(name)) {
      const table = new TableView(this.study, this.tables.get(name), (view) => this.changed(view));
      const chart = new ChartView(table, facts.choices[this.study][name], (filters) => this.go(name, filters));
      this.views.set(name, { table, chart, element: make("div", {}, chart.element, table.element) });
    }
    const view = this.views.get(name);
    this.here.replaceChildren(view.element);
    view.chart.draw();
    return view;
  }

  changed(table) {
    const view = this.views.get(table.table.name);
    if (!view) return;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => view.chart.draw(), 200);
    if (address()) history.replaceState(null, "", rowsAddress(this.study, table.table.name, table.filters));
  }

  go(name, filters) {
    location.hash = rowsAddress(this.study, name, filters);
  }
}

const explorers = new Map(
  [...document.querySelectorAll("section.explore")].map((section) => [section.dataset.study, new Explorer(section)]),
);

function rowsAddress(study, table, filters) {
  const query = [...filters].map((pair) => pair.map(encodeURIComponent).join("=")).join("&");
  return `#rows/${encodeURIComponent(study)}/${encodeURIComponent(table)}${query ? `?${query}` : ""}`;
}

// What the address asks for: { study, table, filters }, or nothing.
function address() {
  const found = location.hash.match(/^#rows\/([^/]+)\/([^/?]+)(?:\?(.*))?$/);
  if (!found) return null;
  const [study, table] = found.slice(1, 3).map(decodeURIComponent);
  return { study, table, filters: new Map(new URLSearchParams(found[3] ?? "")) };
}

async function follow() {
  const wanted = address();
  const explorer = wanted && explorers.get(wanted.study);
  if (!explorer) return;
  await explorer.open();
  if (!explorer.tables.has(wanted.table)) return;
  const { table, chart } = explorer.show(wanted.table);
  table.show(wanted.filters);
  const go = () => table.element.scrollIntoView({ block: "start" });
  go();
  await chart.draw();
  go(); // the chart above has its height only now
  table.element.querySelector(".scroll").focus({ preventScroll: true });
}

function watchBoard() {
  const board = document.getElementById("board");
  const buttons = [...board.querySelectorAll("button[data-outcome]")];
  const rows = [...board.querySelectorAll("tbody tr")];
  const search = board.querySelector("input");
  const status = board.querySelector(".shown");
  let outcome = "";
  const update = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = (outcome && row.dataset.outcome !== outcome) || !words.every((word) => text.includes(word));
    }
    status.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} claims shown`;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.outcome === outcome));
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      outcome = button.dataset.outcome;
      update();
    });
  }
  search.addEventListener("input", update);
}

const nearby = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) explorers.get(target.dataset.study).open();
    }
  },
  { rootMargin: "0px 0px 600px 0px" },
);
document.querySelectorAll("section.explore").forEach((section) => nearby.observe(section));

let width = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth === width) return; // a phone's bars come and go
  width = window.innerWidth;
  for (const explorer of explorers.values()) {
    for (const { chart } of explorer.views.values()) if (chart.element.isConnected) chart.draw();
  }
});
window.addEventListener("hashchange", follow);
watchBoard();
follow();
