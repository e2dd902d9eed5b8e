"use strict";
// The report: a click on a mark or a number opens that student; a slider orders them; a table finds them.
const told = JSON.parse(document.getElementById("data").textContent);
const students = told.rows.map((row) => Object.fromEntries(told.columns.map((name, index) => [name, row[index]])));
const rows = new Map(students.map((row) => [row.number, row]));
const at = (id) => document.getElementById(id);
const svgns = "http://www.w3.org/2000/svg";
const panel = at("panel");
const place = new Map(students.map((row, index) => [row.number, index]));
let current = null;

function make(tag, words, attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = words;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function opener(number, words) {
  return make("button", words, { type: "button", class: "open", "data-open": number });
}

// Panels are stored in compressed chunks; a chunk is inflated when one of its students is opened.
const inflated = new Map();
function inflate(chunk) {
  if (!inflated.has(chunk)) {
    const packed = document.querySelectorAll("script.panels")[chunk].textContent;
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    inflated.set(chunk, new Response(stream).json());
  }
  return inflated.get(chunk);
}

function scroller(inner, name) {
  const made = make("div", "", { class: "scroll", tabindex: "0", role: "region", "aria-label": name || "facts" });
  made.append(inner);
  return made;
}

function table([title, names, sides, lines, notes]) {
  const made = make("table", "");
  if (title) made.append(make("caption", title));
  if (names.some(Boolean)) {
    const first = made.createTHead().insertRow();
    names.forEach((name, index) => first.append(make(name ? "th" : "td", name, { class: sides[index] })));
  }
  const body = made.createTBody();
  for (const line of lines) {
    const row = body.insertRow();
    line.forEach((cell, index) => row.append(make(index ? "td" : "th", cell, { class: sides[index] })));
    row.cells[0].scope = "row";
  }
  return [scroller(made, title), ...notes.map((note) => make("p", note, { class: "note" }))];
}

function kin(title, numbers) {
  if (!numbers.length) return [];
  const line = make("p", `${title}: `, { class: "kin" });
  for (const number of numbers.slice(0, 20)) {
    const { fitness, origin } = rows.get(number);
    line.append(opener(number, `#${number}${fitness && ` ${fitness}`} (${origin})`), " ");
  }
  if (numbers.length > 20) line.append(`and ${numbers.length - 20} more`);
  return [line];
}

function show(number, title, words, drawing, tables) {
  const drawn = make("div", "");
  drawn.innerHTML = drawing; // an SVG that was escaped where the page was written
  at("panel-body").replaceChildren(make("h2", title, { id: "panel-title" }), make("p", words, { class: "note" }),
    scroller(drawn, "Architecture"), ...kin("Parents", rows.get(number).parents), ...kin("Children", children.get(number) || []),
    ...tables.flatMap(table));
}

async function open(number) {
  if (!place.has(number)) return;
  const index = place.get(number);
  const panels = await inflate(Math.floor(index / told.chunk));
  show(number, ...panels[index % told.chunk]);
  at("before").disabled = index === 0;
  at("after").disabled = index === students.length - 1;
  current = number;
  point(number);
  if (!panel.open) panel.showModal();
  panel.scrollTop = 0;
  history.replaceState(null, "", `#student-${number}`);
}

function step(by) {
  const next = students[place.get(current) + by];
  if (next) open(next.number);
}

function reached(number, edges) {
  const found = new Set();
  const left = [number];
  while (left.length) {
    for (const next of edges(left.pop())) if (!found.has(next)) { found.add(next); left.push(next); }
  }
  return found;
}
const children = new Map();
for (const row of students) for (const parent of row.parents) children.set(parent, [...(children.get(parent) || []), row.number]);

function middle(mark) {
  if (mark.hasAttribute("cx")) return [Number(mark.getAttribute("cx")), Number(mark.getAttribute("cy"))];
  return mark.getAttribute("transform").match(/-?[\d.]+/g).map(Number);
}

function ring(mark, kind, radius) {
  const made = document.createElementNS(svgns, "circle");
  const [x, y] = middle(mark);
  for (const [name, value] of Object.entries({ cx: x, cy: y, r: radius, class: kind })) made.setAttribute(name, value);
  mark.closest("svg").append(made);
}

// Rings a student in every figure; in the descent, its ancestors and descendants too.
function point(number) {
  for (const old of document.querySelectorAll("circle.here, circle.kin")) old.remove();
  for (const mark of document.querySelectorAll(`svg.plot [data-n="${number}"]`)) ring(mark, "here", 8);
  const kin = reached(number, (one) => (rows.get(one) || { parents: [] }).parents);
  for (const one of reached(number, (one) => children.get(one) || [])) kin.add(one);
  const descent = document.querySelector('svg.plot[aria-label^="Descent"]');
  if (!descent) return;
  for (const mark of descent.querySelectorAll("[data-n]")) if (kin.has(Number(mark.dataset.n))) ring(mark, "kin", 6);
}

function words(number) {
  const row = rows.get(number);
  if (!row) return `#${number}`;
  const parts = [`#${number} ${row.name}`, row.state, `fitness ${row.fitness}`, told.quality + " " + row.quality];
  if (row.attacked !== "") parts.push(`under attack ${row.attacked}`);
  return parts.concat(`${row.size} M parameters`).join(", ");
}

// Marks: pointer and keyboard.
const tip = at("tip");
document.addEventListener("pointerover", (event) => {
  const mark = event.target.closest("[data-n]");
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = words(Number(mark.dataset.n));
  tip.style.left = `${Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 6)}px`;
  tip.style.top = `${Math.max(event.clientY - tip.offsetHeight - 10, 4)}px`;
});
document.addEventListener("click", (event) => {
  const from = event.target.closest("[data-n], [data-open]");
  if (from) open(Number(from.dataset.n || from.dataset.open));
  else if (event.target === panel) panel.close();
});
const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, Home: -1e9, End: 1e9 };
for (const box of document.querySelectorAll(".plotbox")) {
  let marks = null;
  let index = -1;
  box.addEventListener("keydown", (event) => {
    marks ||= [...box.querySelectorAll("[data-n]")].sort((one, other) => middle(one)[0] - middle(other)[0]);
    if (!marks.length) return;
    if (event.key in steps) {
      event.preventDefault();
      index = Math.min(Math.max(index + steps[event.key], 0), marks.length - 1);
      point(Number(marks[index].dataset.n));
      at("said").textContent = words(Number(marks[index].dataset.n));
      const { left, top } = marks[index].getBoundingClientRect();
      tip.textContent = at("said").textContent;
      tip.hidden = false;
      tip.style.left = `${Math.min(left + 12, innerWidth - tip.offsetWidth - 6)}px`;
      tip.style.top = `${Math.max(top - tip.offsetHeight - 8, 4)}px`;
    } else if (event.key === "Enter" && index >= 0) open(Number(marks[index].dataset.n));
  });
  box.addEventListener("blur", () => { tip.hidden = true; });
}
at("before").addEventListener("click", () => step(-1));
at("after").addEventListener("click", () => step(1));
panel.addEventListener("keydown", (event) => {
  if (event.target.closest(".scroll, input")) return;
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
panel.addEventListener("close", () => history.replaceState(null, "", location.pathname + location.search));

// The worth of robustness orders all that passed the gates.
const slider = at("worth");
function order() {
  const weight = Number(slider.value) / 100;
  const [accuracy, efficiency] = told.others;
  const scored = students.filter((row) => row.terms.length).map((row) => {
    const [r, a, e] = row.terms;
    return [weight * r + (1 - weight) * (accuracy * a + efficiency * e), row];
  });
  scored.sort((one, other) => other[0] - one[0] || one[1].number - other[1].number);
  for (const old of document.querySelectorAll("circle.lead")) old.remove();
  const [best] = scored;
  if (best) for (const mark of document.querySelectorAll(`#front svg.plot [data-n="${best[1].number}"]`)) ring(mark, "lead", 11);
  at("worth-told").textContent = `${slider.value} %`;
  at("order").replaceChildren(...scored.slice(0, 5).map(([score, row]) => {
    const line = make("li", "");
    line.append(opener(row.number, `#${row.number} ${row.name}`), ` ${score.toFixed(3)}: ${told.quality} ${row.quality}, under attack ${row.attacked}, ${row.size} M parameters`);
    return line;
  }));
}
if (slider) {
  slider.addEventListener("input", order);
  at("worth-reset").addEventListener("click", () => { slider.value = slider.defaultValue; order(); });
  order();
}

// All candidates: sorted by a click on a column, filtered by words, in portions.
const columns = [["number", "student"], ["fitness", "fitness"], ["quality", told.quality], ["attacked", "under attack"],
  ["size", "M parameters"], ["generation", "generation"], ["origin", "origin"], ["state", "state"]];
let sorted = ["fitness", -1];
let most = 50;
function value(row, column) {
  const found = row[column];
  const number = parseFloat(found);
  return found === "" ? -Infinity : Number.isNaN(number) ? found : number;
}
const searched = (row) => `#${row.number} ${row.name} ${row.origin} ${row.state}`.toLowerCase();
function list() {
  const asked = at("filter").value.trim().toLowerCase();
  const [column, sign] = sorted;
  const found = students.filter((row) => !asked || searched(row).includes(asked));
  found.sort((one, other) => {
    const [a, b] = [value(one, column), value(other, column)];
    return sign * (a < b ? -1 : a > b ? 1 : 0) || one.number - other.number;
  });
  at("students").tBodies[0].replaceChildren(...found.slice(0, most).map((row) => {
    const line = make("tr", "");
    for (const [name] of columns) {
      const cell = make(name === "number" ? "th" : "td", name === "number" ? "" : row[name]);
      if (name === "number") { cell.scope = "row"; cell.append(opener(row.number, `#${row.number} ${row.name}`)); }
      if (!["number", "origin", "state"].includes(name)) cell.className = "n";
      line.append(cell);
    }
    return line;
  }));
  at("shown").textContent = `${Math.min(most, found.length)} of ${found.length}`;
  at("more").hidden = found.length <= most;
}
const head = document.querySelector("#students thead tr");
if (head) {
  for (const [name, title] of columns) {
    const cell = make("th", "", { scope: "col" });
    if (!["number", "origin", "state"].includes(name)) cell.className = "n";
    cell.append(make("button", title, { type: "button" }));
    cell.firstChild.addEventListener("click", () => {
      sorted = [name, sorted[0] === name ? -sorted[1] : name === "origin" || name === "number" ? 1 : -1];
      for (const other of head.cells) other.removeAttribute("aria-sort");
      cell.setAttribute("aria-sort", sorted[1] > 0 ? "ascending" : "descending");
      list();
    });
    head.append(cell);
  }
  at("filter").addEventListener("input", () => { most = 50; list(); });
  at("more").addEventListener("click", () => { most += 200; list(); });
  list();
}
const asked = location.hash.match(/^#student-(\d+)$/);
const opening = asked ? open(Number(asked[1])) : Promise.resolve();

// A page of `rosearch report --serve` asks its server for later editions, and keeps the reader's place in them.
const edition = document.documentElement.dataset.live;
const kept = `place of ${location.pathname}`;
const controls = [...document.querySelectorAll("input, details, .plotbox, button[id]")];

function placed() {
  const parts = [...document.querySelectorAll("header, section")];
  const part = parts.findLast((one) => one.getBoundingClientRect().top <= 60) || parts[0];
  return { part: part.id, down: part.getBoundingClientRect().top };
}

function keep() {
  const focused = controls.indexOf(document.activeElement);
  sessionStorage.setItem(kept, JSON.stringify({
    ...placed(), inPanel: panel.scrollTop, focused, sorted, most, filter: at("filter").value,
    worth: slider && slider.value !== slider.defaultValue ? slider.value : null,
    unfolded: [...document.querySelectorAll("details[open] > summary")].map((one) => one.textContent),
  }));
}

async function restore() {
  const before = JSON.parse(sessionStorage.getItem(kept) || "null");
  sessionStorage.removeItem(kept);
  if (!before) return;
  ({ sorted, most } = before);
  at("filter").value = before.filter;
  list();
  if (slider && before.worth !== null) { slider.value = before.worth; order(); }
  for (const one of document.querySelectorAll("details > summary")) one.parentNode.open = before.unfolded.includes(one.textContent);
  await opening;
  if (before.focused >= 0 && controls[before.focused]) controls[before.focused].focus({ preventScroll: true });
  for (let turn = 0; turn < 3; turn += 1) { // sections get their height where they come into view
    const part = before.part ? at(before.part) : document.querySelector("header");
    if (part) scrollBy({ top: part.getBoundingClientRect().top - before.down, behavior: "instant" });
    await new Promise(requestAnimationFrame);
  }
  panel.scrollTop = before.inPanel;
}

async function look() {
  try {
    const told = await (await fetch("look", { cache: "no-store" })).json();
    at("live").textContent = told.problem || `Live: ${told.state}. Looked at ${new Date().toLocaleTimeString()}.`;
    at("live").classList.toggle("warning", Boolean(told.problem));
    const busy = document.hidden || !getSelection().isCollapsed || document.querySelector(":active");
    if (told.edition !== edition && !told.problem && !busy) { keep(); location.reload(); return; }
  } catch {
    at("live").textContent = "Nobody serves this page any more: it stays as it is.";
    at("live").classList.add("warning");
  }
  setTimeout(look, 2000);
}

async function begin() {
  if (edition) {
    history.scrollRestoration = "manual";
    await restore();
    look();
  }
  document.documentElement.dataset.ready = "yes";
}
begin();
