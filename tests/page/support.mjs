// A server of its own for each test, a browser for all of them, and what makes decisions to look at.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

// With PAGE_FILES=src/http/page/site changed files are tried without building them in.
const { PAGE_MODULES, PAGE_FILES, QUORATE, CHROMIUM = "/usr/bin/chromium" } = process.env;
const { chromium } = createRequire(`${PAGE_MODULES}/`)("playwright-core");

/** A server on a folder of its own. */
export class Server {
  static async start(listen = "127.0.0.1:0", data = mkdtempSync(join(tmpdir(), "quorate-page-"))) {
    const child = spawn(QUORATE, ["--json", "serve", "--data", data, "--listen", listen], { stdio: ["ignore", "pipe", "inherit"] });
    const [line] = await new Promise((done, failed) => {
      createInterface({ input: child.stdout }).once("line", (text) => done([text]));
      child.once("exit", (code) => failed(new Error(`the server ended with ${code}`)));
    });
    return Object.assign(new Server(), { child, data, url: JSON.parse(line).listening });
  }

  /** Kills the process; the folder stays. */
  async kill() {
    const ended = new Promise((done) => this.child.once("exit", done));
    this.child.kill("SIGKILL");
    await ended;
  }

  /** The same folder and address again. */
  again() {
    return Server.start(new URL(this.url).host, this.data);
  }

  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.kill();
    rmSync(this.data, { recursive: true, force: true });
  }

  async ask(path, body, token) {
    const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
    const options = body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers };
    const answer = await fetch(`${this.url}/api/v1/${path}`, options);
    const json = await answer.json();
    if (!json.success) throw new Error(`${path}: ${JSON.stringify(json.error)}`);
    return json;
  }

  /** Does this version list open quorums? */
  async listsQuorums() {
    return (await fetch(`${this.url}/api/v1/quorums`)).ok;
  }

  async agents(...names) {
    for (const agent_id of names) await this.ask("agent/register", { agent_id, monitor: false });
  }

  proposal(proposal_id, proposal, more) {
    return this.ask("consensus/request", { proposal_id, proposal, wait: false, timeout_ms: 300_000, ...more });
  }

  quorum(quorum_id, voters, more) {
    return this.ask("quorum/start", { quorum_type: "global", quorum_id, voters, required_votes: 2, timeout_seconds: 3600, ...more });
  }

  async session(session_id, voters, proposal) {
    for (const voter_id of voters) await this.ask("voters/register", { voter_id }).catch(() => undefined);
    return this.ask("sessions/open", { session_id, voters, proposal, authentication: "optional", timeout_ms: 3_600_000 });
  }
}

let browser;

async function tryFile(route) {
  const { pathname } = new URL(route.request().url());
  const file = join(PAGE_FILES, pathname === "/" ? "index.html" : pathname.replace("/page/", ""));
  if (!existsSync(file)) return route.continue();
  const home = await route.fetch({ url: new URL("/", route.request().url()).href, headers: {} });
  const types = { html: "text/html", css: "text/css", js: "text/javascript", svg: "image/svg+xml" };
  const { "content-encoding": _encoding, "content-length": _length, etag: _tag, ...headers } = home.headers();
  return route.fulfill({ status: 200, headers: { ...headers, "content-type": types[file.split(".").at(-1)] }, body: readFileSync(file) });
}

/** A page of a fresh browser profile. Whatever it complains of is kept. */
export async function visit(server, { path = "/", ...options } = {}) {
  browser ??= await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP evil.example 127.0.0.1"] });
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  if (PAGE_FILES) await context.route("**", tryFile);
  const page = await context.newPage();
  const complaints = [];
  const requests = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => requests.push(request));
  if (path !== null) await page.goto(server.url + path);
  return Object.assign(page, { complaints, requests, done: () => context.close() });
}

export async function closeBrowser() {
  await browser?.close();
}

/** Runs so many pieces of work, a few at a time. */
export async function inParallel(count, work) {
  let next = 0;
  const one = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: 48 }, one));
}

/** How far text stands out from what is behind it, for the text that stands out least (WCAG 2.2, 1.4.3). */
export function weakestContrast(page) {
  return page.evaluate(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const parse = (color) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return canvas.getImageData(0, 0, 1, 1).data;
    };
    const light = (rgb) => {
      const [r, g, b] = [...rgb].slice(0, 3).map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (node) => {
      for (let at = node; at; at = at.parentElement) {
        const color = parse(getComputedStyle(at).backgroundColor);
        if (color[3] === 255) return color;
      }
      return parse("white");
    };
    let weakest = { ratio: 99 };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
      const node = text.parentElement;
      if (!text.data.trim() || !node.checkVisibility() || node.closest(".hidden, .skip, noscript, option")) continue;
      const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < weakest.ratio) weakest = { ratio, text: text.data, tag: node.tagName, class: node.className };
    }
    return weakest;
  });
}

/** By how many pixels the page is wider than the window. */
export function overhang(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}
