// Packed parts of the page: figures, unpacked at once, and what is unpacked when it is first looked at.
const facts = JSON.parse(document.getElementById("facts").textContent);

async function unpacked(packed) {
  const bytes = Uint8Array.from(atob(packed.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

for (const image of document.querySelectorAll("img[data-packed]")) {
  unpacked(image.dataset.packed).then((svg) => {
    image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  });
}

class Column {
  constructor({ name, numbers, texts, codes }) {
    Object.assign(this, { name, numbers, texts, codes });
    this.numeric = numbers !== undefined;
  }

  at(row) {
    return this.numeric ? this.numbers[row] : this.texts[this.codes[row]];
  }

  shown(row) {
    const value = this.at(row);
    return value === null ? "" : value === Infinity ? "inf" : value === -Infinity ? "-inf" : String(value);
  }

  distinct() {
    this.known ??= this.numeric
      ? [...new Set(this.numbers)].filter((value) => value !== null).sort((a, b) => a - b)
      : [...this.texts];
    return this.known;
  }
}

class Table {
  constructor(name, { rows, columns }) {
    this.name = name;
    this.rows = rows;
    const line = { name: "row", numbers: Array.from({ length: rows }, (_, i) => i + 1) };
    this.columns = [line, ...columns].map((column) => new Column(column));
    this.by = new Map(this.columns.map((column) => [column.name, column]));
  }
}

const packed = new Map(
  [...document.querySelectorAll("script.packed")].map((element) => [element.dataset.name, element.textContent]),
);
const opened = new Map();

// The tables of a study, by name.
function tablesOf(study) {
  if (!opened.has(study)) {
    const reading = unpacked(packed.get(study)).then((text) =>
      new Map(Object.entries(JSON.parse(text)).map(([name, table]) => [name, new Table(name, table)])),
    );
    opened.set(study, reading);
  }
  return opened.get(study);
}

let drawing;
function vegaEmbed() {
  drawing ??= unpacked(document.getElementById("vega").textContent).then((code) => {
    const script = document.createElement("script");
    script.textContent = `(() => {${code}\n})();`;
    document.head.append(script);
    return window.vegaEmbed;
  });
  return drawing;
}

// An element with attributes and children; text is text, never markup.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}
