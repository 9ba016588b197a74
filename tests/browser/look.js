// Looks at a page in Debian's Chromium: what it says on the console, what axe finds, pictures at three widths, light and dark.
// usage: node look.js PAGE DIRECTORY; prints one JSON object.
'use strict';
const { chromium } = require('playwright-core');
const axe = require('axe-core');
const path = require('path');
const { pathToFileURL } = require('url');

const WIDTHS = [390, 820, 1360];

async function main(page, directory) {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
  const found = { console: [], requests: [], violations: [], checks: {} };
  try {
    for (const colorScheme of ['light', 'dark']) {
      for (const width of WIDTHS) {
        // axe is put into the page from outside, which the page's own policy would refuse.
        const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
        const tab = await context.newPage();
        await visit(tab, page, found);
        found.checks[`${width} ${colorScheme} overflow`] =
          await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
        await tab.screenshot({ path: path.join(directory, `${width}-${colorScheme}.png`), fullPage: true, timeout: 120000 });
        if (width !== WIDTHS[1]) {
          await tab.evaluate(axe.source);
          for (const opened of [false, true]) {
            await tab.evaluate(open => document.querySelectorAll('details').forEach(at => { at.open = open; }), opened);
            const { violations } = await tab.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
            for (const { id, nodes } of violations) {
              found.violations.push(`${width} ${colorScheme}: ${id}: ${nodes.slice(0, 3).map(node => node.html).join(' ')}`);
            }
          }
        }
        await context.close();
      }
    }
    // As everybody opens it: with its own policy.
    const context = await browser.newContext({ viewport: { width: 1000, height: 900 } });
    const tab = await context.newPage();
    const began = Date.now();
    await visit(tab, page, found);
    found.milliseconds = Date.now() - began;
    Object.assign(found.checks, await use(tab));
    const pdf = await tab.pdf({ format: 'A4' });
    found.checks.pdf = pdf.length;
    await context.close();
  } finally {
    await browser.close();
  }
  return found;
}

async function visit(tab, page, found) {
  tab.on('console', message => found.console.push(`${message.type()}: ${message.text()}`));
  tab.on('pageerror', error => found.console.push(`error: ${error.message}`));
  tab.on('dialog', dialog => { found.console.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  tab.on('request', request => { if (!request.url().startsWith('file:')) found.requests.push(request.url()); });
  await tab.goto(pathToFileURL(path.resolve(page)).href, { waitUntil: 'load', timeout: 120000 });
}

// What a reader does: the keyboard, the slider, the search, the filters.
async function use(tab) {
  const then = () => tab.locator('#then tbody tr').evaluateAll(rows => rows.map(row => [...row.cells].map(cell => cell.textContent)));
  const checks = { title: await tab.title(), h1: await tab.locator('h1').textContent() };
  checks.elements = await tab.evaluate(() => ({
    scripts: document.querySelectorAll('script').length,
    handlers: [...document.querySelectorAll('*')].filter(at => [...at.attributes].some(name => /^on/i.test(name.name))).length,
    images: document.querySelectorAll('img, iframe, object, embed, link').length,
    events: document.querySelectorAll('li.e').length,
    undone: document.querySelectorAll('li.e.u s').length,
    nodes: document.querySelectorAll('g.n').length,
    boxes: document.querySelectorAll('rect.box').length,
    cells: document.querySelectorAll('details.cell').length,
  }));
  await tab.keyboard.press('Tab');
  checks.focus = await tab.evaluate(() => document.activeElement.textContent);
  if (await tab.locator('#past').isVisible()) {
    checks.newest = await then();
    await tab.locator('#number').fill('2');
    await tab.locator('#number').press('Enter');
    checks.at2 = await then();
    checks.told = await tab.locator('#told').textContent();
    await tab.locator('#at').focus();
    await tab.keyboard.press('ArrowRight');
    checks.slid = await tab.locator('#number').inputValue();
    checks.colours = await tab.locator('g.n').evaluateAll(all => all.map(at => [at.dataset.n, at.getAttribute('class')]));
    await tab.locator('#newest').click();
  }
  if (checks.elements.events > 0) {
    const shown = () => tab.locator('li.e:not([hidden])').count();
    const word = process.env.LOOK_FOR || 'question';
    await tab.locator('#find').fill(word);
    await tab.waitForFunction(() => document.querySelector('#found').textContent !== '');
    checks.found = await shown();
    checks.status = await tab.locator('#found').textContent();
    await tab.locator('#find').fill('');
    await tab.waitForFunction(() => document.querySelector('#found').textContent === '');
    checks.all = await shown();
    const undone = tab.locator('label:has(input[name=undone])');
    if (await undone.isVisible()) {
      await undone.click();
      await tab.waitForFunction(() => document.querySelector('#found').textContent !== '');
      checks.without_undone = await shown();
    }
    const last = await tab.locator('li.e').last().getAttribute('id');
    await tab.evaluate(id => { location.hash = id; }, last);
    await tab.waitForFunction(id => document.getElementById(id).offsetParent !== null, last);
  }
  return checks;
}

main(...process.argv.slice(2)).then(found => console.log(JSON.stringify(found)), error => { console.error(error); process.exit(1); });
