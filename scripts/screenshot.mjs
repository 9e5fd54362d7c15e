#!/usr/bin/env node
// The pictures of the documents, from a running demo:
//   npm run demo &   node scripts/screenshot.mjs http://127.0.0.1:7333/ docs/dashboard.png answer-model
import {existsSync} from 'node:fs';
import {chromium} from 'playwright-core';

const [url = 'http://127.0.0.1:7333/', file = 'docs/dashboard.png', experiment = 'answer-model'] = process.argv.slice(2);
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(path => existsSync(path));
const browser = await chromium.launch({...(executablePath === undefined ? {} : {executablePath}), args: ['--no-sandbox']});
try {
  const page = await browser.newPage({viewport: {width: 1280, height: 800}});
  await page.goto(url, {waitUntil: 'domcontentloaded'});
  await page.waitForSelector('h1');
  await page.getByRole('link', {name: experiment, exact: true}).click();
  await page.waitForSelector('svg, canvas');
  // What is drawn from the first answers of the server.
  await page.waitForTimeout(3_000);
  await page.screenshot({path: file});
} finally {
  await browser.close();
}
