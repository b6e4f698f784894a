// The page in a real browser: node check.mjs PROGRAM MODULES [FOLDER for screenshots]
//
// Starts a server, chats with the keyboard alone, looks at the card while an answer runs, and measures the page at
// a phone's width, light and dark. Fails on any message of the browser's console and on any other host.

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import assert from "node:assert/strict";

const [program, modules, folder] = process.argv.slice(2);
const { chromium } = createRequire(resolve(modules, "x.js"))("playwright-core");
const LIMIT = 20_000;

/** A server of the bundled model, and its address. */
async function serve(...options) {
  const child = spawn(program, ["serve", "--listen", "127.0.0.1:0", "--log", "error", ...options], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [url] = await new Promise((yes, no) => {
    createInterface({ input: child.stdout }).once("line", (line) => yes([line]));
    child.once("exit", (code) => no(new Error(`the server ended with ${code}`)));
  });
  return { url, stop: () => child.kill("SIGTERM") };
}

async function complete(url, messages, more) {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ messages, ...more }),
  });
  return (await response.json()).choices[0].message.content;
}

const PROFILE = mkdtempSync(join(tmpdir(), "terntable-page-"));
const browser = await chromium.launchPersistentContext(PROFILE, {
  executablePath: process.env.TERNTABLE_CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  viewport: { width: 1200, height: 800 },
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
// The golden model is slow enough to be watched.
const server = await serve("--device", "golden");
const locked = await serve("--api-key", "secret");
const wrong = [];

/** A page whose errors and requests to elsewhere count; that it is refused at first is no error if it should be. */
async function open(url, { refused } = {}) {
  const page = await browser.newPage();
  page.setDefaultTimeout(LIMIT);
  page.on("console", (message) => {
    const expected = refused && message.text().includes("401");
    if (message.type() === "error" && !expected) wrong.push(message.text());
  });
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(url)) wrong.push(`asked ${request.url()}`);
  });
  await page.goto(url);
  if (!refused) await page.getByText("context 512").waitFor();
  return page;
}

async function picture(page, name) {
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`) });
}

const answers = (page) => page.locator(".message.assistant span");
const wait = (page, what) => page.waitForFunction(what, null, { timeout: LIMIT });
const idle = (page) => wait(page, () => document.getElementById("stop").disabled);

try {
  // A chat with the keyboard alone; the answers are those of the API.
  const page = await open(server.url);
  assert.equal(await page.evaluate(() => document.activeElement.id), "say");
  await page.locator("summary").click();
  await page.locator("#temperature").fill("0");
  await page.locator("#most").fill("48");
  await page.locator("#say").focus();
  await page.keyboard.type("ROMEO:");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("What ho");
  await page.keyboard.press("Enter");
  await idle(page);
  const first = { role: "user", content: "ROMEO:\nWhat ho" };
  const expected = await complete(server.url, [first], { temperature: 0, max_tokens: 48 });
  assert.equal(await answers(page).nth(0).textContent(), expected);
  assert.match(await page.locator("#used").textContent(), /48 made/);
  await page.keyboard.type("JULIET:");
  await page.keyboard.press("Enter");
  await idle(page);
  const talk = [first, { role: "assistant", content: expected }, { role: "user", content: "JULIET:" }];
  const second = await complete(server.url, talk, { temperature: 0, max_tokens: 48 });
  assert.equal(await answers(page).nth(1).textContent(), second);

  // The card is seen at work, and Escape stops it.
  await page.locator("#most").fill("400");
  await page.locator("#say").focus();
  const crowd = Array.from({ length: 5 }, (_, i) =>
    complete(server.url, [{ role: "user", content: `KING ${i}:` }], { max_tokens: 150, seed: i }));
  await page.keyboard.type("ROMEO: Come");
  await page.keyboard.press("Enter");
  await wait(page, () => document.querySelectorAll(".device .seat.decode").length >= 4);
  await picture(page, "page-light");
  await page.keyboard.press("Escape");
  await idle(page);
  const stopped = await answers(page).nth(2).textContent();
  await Promise.all(crowd);
  await wait(page, () => document.querySelectorAll(".device .seat.decode").length === 0);
  assert.equal(await answers(page).nth(2).textContent(), stopped);
  assert.match(await page.locator(".device .facts").first().textContent(), /KV pages: \d+ of \d+/);

  // What a model says is text, not a page.
  await page.locator("#new").click();
  await page.locator("#most").fill("1");
  await page.locator("#say").fill("<img src=x onerror=alert(1)>");
  await page.keyboard.press("Enter");
  await idle(page);
  assert.equal(await page.locator("#messages img").count(), 0);

  // Every control has a name, and Tab reaches it.
  await page.evaluate(() => document.activeElement.blur());
  const reached = new Set();
  for (let i = 0; i < 20; i++) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate(() => document.activeElement.id || document.activeElement.tagName));
  }
  for (const id of ["new", "messages", "say", "send", "SUMMARY", "temperature", "most", "seed", "key"]) {
    assert.ok(reached.has(id), `Tab does not reach ${id}: ${[...reached]}`);
  }
  const nameless = await page.evaluate(() => [...document.querySelectorAll("button, input, textarea, meter, [role=img]")]
    .filter((e) => !(e.labels?.length || e.getAttribute("aria-label") || e.textContent)).map((e) => e.outerHTML));
  assert.deepEqual(nameless, []);

  // A phone, in the dark: nothing is cut.
  await page.locator("summary").click();
  await page.setViewportSize({ width: 360, height: 740 });
  await page.emulateMedia({ colorScheme: "dark" });
  const { wide, dark } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth,
    dark: getComputedStyle(document.body).backgroundColor,
  }));
  assert.ok(wide <= 360, `${wide} pixels wide on a phone of 360`);
  assert.equal(dark, "rgb(21, 24, 23)");
  await page.locator("#say").fill("ROMEO:");
  await page.evaluate(() => { document.getElementById("most").value = "60"; });
  await page.locator("#say").press("Enter");
  await idle(page);
  await picture(page, "page-phone");

  // A server with keys says so, and takes one.
  const door = await open(locked.url, { refused: true });
  await door.getByText("API key; give").waitFor();
  await door.locator("summary").click();
  await door.locator("#key").fill("secret");
  await door.locator("#key").press("Tab");
  await door.getByText("context 512").waitFor();

  // A server that is gone is told.
  assert.deepEqual(wrong, []);
  server.stop();
  await page.bringToFront();
  await page.getByText("no status").waitFor();
  console.log("the page works: chat, card, keyboard, phone, dark, keys");
} finally {
  server.stop();
  locked.stop();
  await browser.close();
}
