// What a reader writes above a column: 8|16, >0.5, 1..2, or part of a text. Alternatives are parted by |.
const CLOSE = 2e-6; // of a number: what the page shows is rounded to six digits

function near(value, wanted) {
  return value === wanted || Math.abs(value - wanted) <= CLOSE * Math.max(Math.abs(value), Math.abs(wanted));
}

const COMPARED = { ">": (a, b) => a > b, "<": (a, b) => a < b, ">=": (a, b) => a >= b, "<=": (a, b) => a <= b };

function numberTest(word) {
  const compared = word.match(/^([<>]=?)\s*(\S+)$/);
  if (compared && !Number.isNaN(Number(compared[2]))) {
    const bound = Number(compared[2]);
    return (value) => value !== null && COMPARED[compared[1]](value, bound);
  }
  const ends = word.split("..").map((end) => (end.trim() === "" ? NaN : Number(end)));
  if (ends.length === 2 && !ends.some(Number.isNaN)) {
    return (value) => value !== null && value >= ends[0] && value <= ends[1];
  }
  const wanted = word.replace(/^=/, "").replace(/inf$/i, "Infinity");
  if (wanted.trim() !== "" && !Number.isNaN(Number(wanted))) {
    return (value) => value !== null && near(value, Number(wanted));
  }
  return null;
}

function textTest(word, texts) {
  if (texts.includes(word)) return (value) => value === word;
  const part = word.toLowerCase();
  return (value) => value.toLowerCase().includes(part);
}

// A test of a column's value; null where the expression means nothing there.
function testOf(column, expression) {
  const words = expression.split("|").map((word) => word.trim()).filter((word) => word !== "");
  const tests = words.map((word) => (column.numeric ? numberTest(word) : textTest(word, column.texts)));
  if (tests.some((test) => test === null)) return null;
  return (value) => tests.some((test) => test(value));
}

// The rows that pass all expressions (column name -> text), in the table's order.
function passing(table, expressions) {
  const tests = [];
  for (const [name, expression] of expressions) {
    const column = table.by.get(name);
    const test = column && expression.trim() !== "" ? testOf(column, expression) : undefined;
    if (test === null) return [];
    if (test) tests.push([column, test]);
  }
  const rows = [];
  for (let row = 0; row < table.rows; row += 1) {
    if (tests.every(([column, test]) => test(column.at(row)))) rows.push(row);
  }
  return rows;
}

function sorted(rows, column, direction) {
  const missing = (value) => value === null || value === "";
  const sign = direction === "descending" ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [left, right] = [column.at(a), column.at(b)];
    if (missing(left) || missing(right)) return missing(left) - missing(right) || a - b;
    return sign * (column.numeric ? left - right || 0 : left.localeCompare(right)) || a - b;
  });
}
