
(() => {
'use strict';
const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// What a link leads to may be folded.
const reveal = () => {
  const target = document.getElementById(location.hash.slice(1));
  if (!target) return;
  for (let at = target.parentElement; at; at = at.parentElement) if (at.tagName === 'DETAILS') at.open = true;
  target.scrollIntoView();
};
addEventListener('hashchange', reveal);
reveal();

// On paper nothing can be unfolded.
let folded = [];
addEventListener('beforeprint', () => { folded = all('details:not([open])'); folded.forEach(at => { at.open = true; }); });
addEventListener('afterprint', () => { folded.forEach(at => { at.open = false; }); folded = []; });

// Search and filters.
const events = all('li.e'), cells = all('details.cell'), folds = all('li.fold').reverse();
const texts = new Map();
const text = at => {
  if (!texts.has(at)) texts.set(at, at.textContent.toLowerCase());
  return texts.get(at);
};
const filter = one('#filter'), find = one('#find');
const wanted = new Map(all('input[type=checkbox]', filter).map(box => [box.name, box]));
for (const [kind, box] of wanted) {
  const some = kind === 'undone' ? one('li.e.u') : one('li.k-' + kind);
  if (!some) box.parentElement.hidden = true;
}
let opened = [];
const apply = () => {
  const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
  const has = at => words.every(word => text(at).includes(word));
  let shown = 0;
  for (const at of events) {
    const kind = at.className.match(/k-(\w+)/)[1];
    at.hidden = !(wanted.get(kind).checked && (wanted.get('undone').checked || !at.classList.contains('u')) && has(at));
    if (!at.hidden) shown++;
  }
  let values = 0;
  for (const at of cells) {
    at.parentElement.hidden = words.length > 0 && !has(at);
    if (!at.parentElement.hidden) values++;
  }
  for (const at of folds) at.hidden = !one('li.e:not([hidden])', at);
  for (const at of all('li.day')) at.hidden = shown < events.length;
  opened.forEach(at => { at.open = false; });
  opened = words.length ? folds.filter(at => !at.hidden).map(at => one('details', at)).filter(at => !at.open) : [];
  opened.forEach(at => { at.open = true; });
  one('#found').textContent = shown === events.length && values === cells.length ? ''
    : shown + ' of ' + events.length + ' events, ' + values + ' of ' + cells.length + ' values';
};
let waiting = 0;
filter.addEventListener('input', () => { clearTimeout(waiting); waiting = setTimeout(apply, 80); });
filter.addEventListener('submit', event => event.preventDefault());
filter.hidden = false;

// The state at any version.
const past = one('#past');
if (!past) return;
const titles = { variable: '', node: 'node ', loop: 'loop ', context: 'output of ', engine: 'engine ' };
const order = Object.keys(titles);
const slots = cells.map(cell => ({
  scope: cell.dataset.s, key: cell.dataset.k, ordinal: Number(cell.dataset.o),
  name: titles[cell.dataset.s] + one('summary b', cell).textContent,
  rows: all('tr[data-v]', cell).map(row => ({ version: Number(row.dataset.v), state: row.dataset.t, value: row.cells[2] })),
})).sort((a, b) => order.indexOf(a.scope) - order.indexOf(b.scope));
const last = (list, version) => {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].version <= version) low = middle + 1; else high = middle;
  }
  return list[low - 1];
};
const lives = new Map(all('data.lives').map(at => [at.dataset.k, at.value.split(' ').map(pair => {
  const [version, first] = pair.split(':');
  return { version: Number(version), first: first === '' ? Infinity : Number(first) };
})]));
const shapes = all('g.n').map(shape => ({ shape, now: shape.getAttribute('class') }));
const of = scope => slots.filter(slot => slot.scope === scope).map(slot => [slot.key, slot]);
const nodes = new Map([...of('loop'), ...of('node')]);
const summary = one('#graph-at'), summaryNow = summary && summary.textContent;
const slider = one('#at'), number = one('#number'), newest = Number(slider.max);
const MOST = 500;
const show = version => {
  slider.value = number.value = version;
  const body = document.createElement('tbody');
  let count = 0;
  for (const slot of slots) {
    const row = last(slot.rows, version);
    if (!row || one('i', row.value)) continue;
    if (slot.scope === 'context') {
      const from = last(lives.get(slot.key) || [], version);
      if (!from || slot.ordinal < from.first) continue;
    }
    if (++count > MOST) continue;
    const line = body.insertRow();
    if (row.version === version) line.className = 'new';
    const head = document.createElement('th');
    head.scope = 'row';
    head.textContent = slot.name;
    line.append(head);
    const value = line.insertCell();
    for (const part of row.value.children) if (part.tagName === 'CODE' || !one('mark', part)) value.append(part.cloneNode(true));
    all('mark', value).forEach(mark => mark.replaceWith(...mark.childNodes));
    line.insertCell().textContent = 'version ' + row.version;
  }
  one('#then').tBodies[0].replaceWith(body);
  const event = document.getElementById('v' + version);
  one('#told').textContent = 'Version ' + version + ': ' + (event ? one('div', event).innerText.replace(/\s+/g, ' ') : '')
    + (count > MOST ? ' (the first ' + MOST + ' of ' + count + ' values)' : '');
  for (const { shape, now } of shapes) {
    const slot = nodes.get(shape.dataset.n), row = slot && last(slot.rows, version);
    shape.setAttribute('class', version === newest ? now : 'n ' + (row && row.state || 'pending'));
  }
  if (summary) summary.textContent = version === newest ? summaryNow : 'The colours are those of version ' + version + '.';
};
const to = version => show(Math.min(newest, Math.max(1, Math.round(version) || 1)));
slider.addEventListener('input', () => to(Number(slider.value)));
number.addEventListener('change', () => to(Number(number.value)));
one('#prev').addEventListener('click', () => to(Number(slider.value) - 1));
one('#next').addEventListener('click', () => to(Number(slider.value) + 1));
one('#newest').addEventListener('click', () => to(newest));
past.hidden = false;
show(newest);
})();
