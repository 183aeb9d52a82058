// A chart of the rows that a table shows: the mean of the replicates and its interval, by the columns picked.
const NONE = "";
const NARROW = 560;
const MOST_REPLICATES = 20000;
const MOST_PANELS = 30;
const MOST_TICKS = 12;

class ChartView {
  constructor(view, choice, moved) {
    Object.assign(this, { view, choice, moved, table: view.table, drawn: 0 });
    this.place = make("div", { class: "chart" });
    this.note = make("p", { class: "hint", role: "status" });
    const numeric = this.table.columns.filter((column) => column.numeric && column.name !== "row").map((c) => c.name);
    const keys = choice.keys;
    this.picks = {
      x: this.select("x axis", [...new Set([...keys, ...numeric])], choice.x),
      y: this.select("y axis", numeric, choice.y),
      colour: this.select("colour", [NONE, ...keys], choice.colour),
      panel: this.select("panels", [NONE, ...keys], choice.panel),
    };
    this.ticks = {
      replicates: this.tick("replicates", false),
      logX: this.tick("log x", this.looksLogarithmic(choice.x)),
      logY: this.tick("log y", false),
      whole: this.tick("whole range", false),
      zoom: this.tick("zoom", false),
    };
    this.picks.x.addEventListener("change", () => {
      this.ticks.logX.checked = this.looksLogarithmic(this.picks.x.value);
    });
    const controls = make("div", { class: "controls" });
    for (const part of [...Object.values(this.picks), ...Object.values(this.ticks)]) controls.append(part.parentElement);
    controls.addEventListener("change", () => this.draw());
    this.element = make("div", { class: "chart-view" }, controls, this.place, this.note);
  }

  select(name, options, chosen) {
    const option = (value) => make("option", { value, selected: value === chosen }, value || "none");
    const select = make("select", {}, ...options.map(option));
    make("label", {}, make("span", {}, name), select);
    return select;
  }

  tick(name, checked) {
    const box = make("input", { type: "checkbox", checked });
    make("label", { class: "tick" }, box, make("span", {}, name));
    return box;
  }

  looksLogarithmic(name) {
    const column = this.table.by.get(name);
    if (!column?.numeric) return false;
    const values = column.distinct();
    return values.length > 2 && values[0] > 0 && values.at(-1) / values[0] >= 16;
  }

  picked() {
    return Object.fromEntries(Object.entries(this.picks).map(([name, select]) => [name, select.value]));
  }

  // The rows that can be drawn, together where they differ in the replicate alone.
  groups({ x, y }) {
    const [alongX, alongY] = [this.table.by.get(x), this.table.by.get(y)];
    const usable = (value) => value !== null && Number.isFinite(value);
    const groups = new Map();
    for (const row of this.view.rows) {
      const place = { row, x: alongX.at(row), y: alongY.at(row) };
      if (!usable(place.y) || (alongX.numeric && !usable(place.x))) continue;
      const id = this.where(row, this.choice.keys);
      if (!groups.has(id)) groups.set(id, []);
      groups.get(id).push(place);
    }
    return [...groups.values()];
  }

  where(row, keys) {
    return keys.map((key) => `${key} ${this.table.by.get(key).shown(row)}`).join("; ");
  }

  // Means over replicates, one for each point of the grid, and the rows that they are made of.
  points() {
    const picked = this.picked();
    const means = [];
    const single = [];
    let used = 0;
    for (const group of this.groups(picked)) {
      const mean = this.mean(group, picked);
      if (!this.hasPlace(mean)) continue; // nor is a mean made of those replicates that have one
      means.push(mean);
      used += group.length;
      const { colour, panel, line } = mean;
      for (const one of group.filter((each) => this.hasPlace(each))) {
        const about = [`${picked.y} ${digits(one.y)}`, `row ${one.row + 1}`, this.where(one.row, this.choice.keys)];
        single.push({ ...one, colour, panel, line, kind: "single", about: about.join("; ") });
      }
    }
    return { ...picked, means, single, used };
  }

  hasPlace({ x, y }) {
    return !(this.ticks.logX.checked && x <= 0) && !(this.ticks.logY.checked && y <= 0);
  }

  mean(group, { x, y, colour, panel }) {
    const { keys } = this.choice;
    const { row } = group[0];
    const of = (name) => this.table.by.get(name).at(row);
    const found = interval(group.map((one) => one.y));
    const atX = this.table.by.get(x).numeric ? average(group.map((one) => one.x)) : group[0].x;
    const ends = group.length > 1 ? ` [${digits(found.low)}, ${digits(found.high)}], mean of ${group.length}` : "";
    const also = keys.includes(x) ? [] : [`${x} ${digits(atX)}`];
    return {
      ...found,
      kind: "mean",
      x: atX,
      row,
      colour: colour ? of(colour) : y,
      panel: panel ? of(panel) : "",
      line: this.where(row, keys.filter((key) => key !== x)),
      about: [`${y} ${digits(found.y)}${ends}`, ...also, this.where(row, keys)].join("; "),
    };
  }

  // The chart of the page's facts, with the columns that are picked.
  spec({ x, y, colour, panel, means, single }, seen) {
    const made = structuredClone(facts.chart);
    const by = this.table.by;
    const shown = this.ticks.replicates.checked && single.length <= MOST_REPLICATES;
    const joined = this.choice.keys.includes(x) && by.get(x).numeric;
    const bars = this.ticks.logY.checked ? means.map((mean) => ({ ...mean, low: Math.max(mean.low, seen[0]) })) : means;
    made.datasets = { points: shown ? [...bars, ...single] : bars }; // a logarithm's bar ends where the chart does
    made.layer = made.layer.filter(({ mark, encoding }) => {
      if (mark.type === "line") return joined;
      return shown || encoding.shape || mark.type !== "point";
    });
    const scale = colour ? colourScale(by.get(colour)) : { type: "nominal", scale: { range: [facts.colors[0]] } };
    const named = colour && scale.type === "nominal";
    for (const { mark, encoding } of made.layer) {
      mark.clip = true;
      Object.assign(encoding.x, axis(by.get(x), x, this.ticks.logX.checked));
      Object.assign(encoding.y, axis(by.get(y), y, this.ticks.logY.checked, seen));
      if (!by.get(x).numeric) encoding.xOffset = { field: "colour", type: scale.type };
      const legend = colour ? {} : null;
      Object.assign(encoding.color, scale, { title: colour || null, legend });
      if (encoding.shape && named) {
        const domain = { domain: scale.scale.domain, range: facts.shapes };
        Object.assign(encoding.shape, { title: colour, legend, scale: domain });
      } else delete encoding.shape;
    }
    if (this.ticks.zoom.checked) {
      const encodings = by.get(x).numeric ? ["x", "y"] : ["y"];
      made.layer[0].params = [{ name: "zoomed", select: { type: "interval", encodings }, bind: "scales" }];
    }
    return this.sized(made, panel);
  }

  // As wide as the page lets it be; with panels, as many side by side as can be read.
  sized({ $schema, config, data, datasets, layer, params }, panel) {
    const room = Math.max(240, this.place.clientWidth - 24);
    const narrow = room < NARROW;
    const legend = { ...config.legend, columns: narrow ? 3 : 6 };
    const shared = { $schema, data, datasets, params, config: { ...config, legend } };
    if (!panel) return { ...shared, layer, width: room - 60, height: narrow ? 260 : 340 };
    const column = this.table.by.get(panel);
    const columns = Math.max(1, Math.min(column.distinct().length, Math.floor(room / (narrow ? 240 : 270))));
    const spec = { layer, width: (room - 56) / columns - 20, height: narrow ? 200 : 220 };
    return { ...shared, facet: { field: "panel", type: column.numeric ? "ordinal" : "nominal", title: panel }, columns, spec };
  }

  async draw() {
    const turn = (this.drawn += 1);
    const embed = await vegaEmbed();
    if (turn !== this.drawn || !this.place.isConnected) return;
    const points = this.points();
    const panels = points.panel ? new Set(points.means.map((mean) => mean.panel)).size : 1;
    if (points.means.length === 0 || panels > MOST_PANELS) {
      this.note.textContent = panels > MOST_PANELS
        ? `${panels} panels would be too many; filter the table or pick another column.`
        : "No row of the table below has values for these axes.";
      this.place.replaceChildren();
      return;
    }
    const seen = this.ticks.logY.checked ? positive(points.means) : this.ticks.whole.checked ? null : bulk(points.means);
    const options = { actions: { export: true, source: false, compiled: false, editor: false }, renderer: "svg" };
    const { view } = await embed(this.place, this.spec(points, seen), options);
    if (turn !== this.drawn) return;
    view.addEventListener("click", (event, item) => this.clicked(item?.datum));
    this.note.textContent = this.remark(points, seen);
  }

  remark({ means, single, used }, seen) {
    const said = [`${means.length} points from ${used} rows of the table below; bars are 95% intervals of the mean over replicates.`];
    const left = this.view.rows.length - used;
    if (left) said.push(`${left} rows have no value to show here.`);
    const outside = seen ? means.filter(({ y }) => y < seen[0] || y > seen[1]).length : 0;
    if (outside) said.push(`${outside} points lie far outside and are not shown: tick "whole range".`);
    if (this.ticks.replicates.checked && single.length > MOST_REPLICATES) said.push("Too many replicates to draw: filter the table.");
    return [...said, "Click a point for its rows, a name in the legend to bring it out."].join(" ");
  }

  clicked(datum) {
    if (datum?.kind === "single") this.moved(new Map([["row", String(datum.row + 1)]]));
    if (datum?.kind !== "mean") return;
    this.moved(new Map(this.choice.keys.map((key) => [key, this.table.by.get(key).shown(datum.row)])));
  }
}

function average(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

// The mean and Student's interval of it; of a single value, the value alone.
function interval(values) {
  const y = average(values);
  const n = values.length;
  if (n < 2) return { y, low: y, high: y };
  const variance = values.reduce((sum, one) => sum + (one - y) ** 2, 0) / (n - 1);
  const t = facts.quantiles[Math.min(n - 1, facts.quantiles.length) - 1];
  const reach = t * Math.sqrt(variance / n);
  return { y, low: y - reach, high: y + reach };
}

// From the least mean or end of a bar that a logarithm can show to the largest.
function positive(means) {
  const ends = means.flatMap(({ y, low, high }) => [y, low, high]).filter((value) => value > 0);
  return [Math.min(...ends), Math.max(...ends)];
}

// Where nearly all means lie, if a few lie so far outside that nothing else could be seen; else nothing.
function bulk(means) {
  const ordered = means.map((mean) => mean.y).sort((a, b) => a - b);
  const at = (share) => ordered[Math.round(share * (ordered.length - 1))];
  const [low, high] = [at(0.1), at(0.9)];
  const reach = high - low;
  if (!(reach > 0) || ordered.at(-1) - ordered[0] < 8 * reach) return null;
  return [Math.max(ordered[0], low - 0.3 * reach), Math.min(ordered.at(-1), high + 0.3 * reach)];
}

function digits(value) {
  return typeof value === "number" ? String(Number(value.toPrecision(4))) : value;
}

function axis(column, title, log, seen = null) {
  if (!column.numeric) return { type: "nominal", title, axis: { labelAngle: -30 } };
  const values = column.distinct();
  const marked = log && values.length <= MOST_TICKS ? { axis: { values, format: "~r" } } : {};
  const domain = seen ? { domain: seen } : {};
  const scale = log ? { type: "log", nice: false, padding: 12 } : { zero: false, nice: !seen, padding: 8 };
  const long = !log && values.length && Math.max(...(seen ?? [values[0], values.at(-1)]).map(Math.abs)) >= 1e6;
  return { type: "quantitative", title, scale: { ...scale, ...domain }, ...(long ? { axis: { format: "~e" } } : marked) };
}

// Numbers run from dark to light, names have colours that the colour-blind can tell.
function colourScale(column) {
  const domain = column.distinct();
  if (column.numeric) return { type: "ordinal", scale: { domain, scheme: { name: "viridis", extent: [0, 0.88] } } };
  return { type: "nominal", scale: { domain, range: facts.colors } };
}
