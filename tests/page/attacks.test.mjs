// What can a web page of elsewhere do to a server on this machine? Run by `.ci/run page`.
//
// A page of another origin stands at a second server; whatever a browser lets it send is sent, and nothing may come of it.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { Server, closeBrowser, visit } from "./support.mjs";

after(closeBrowser);

/** A page of elsewhere: the same machine, another port, and so another origin. */
async function elsewhere() {
  const listener = createServer((_, answer) => answer.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>evil</title>"));
  await new Promise((done) => listener.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${listener.address().port}`, close: () => listener.close() };
}

/** Everything that was recorded. */
const recorded = (server) => server.ask("history?limit=1000").then(({ events }) => events);

/** Runs an attack in a page of elsewhere; says what the server answered to what the page sent, and what is on record. */
async function attack(body) {
  const server = await Server.start();
  const evil = await elsewhere();
  try {
    await server.quorum("q", ["ann", "bob"]);
    const before = await recorded(server);
    const page = await visit({ url: evil.url });
    const answers = [];
    page.on("response", (answer) => answer.url().startsWith(server.url) && answers.push(answer.status()));
    const said = await body(page, server.url, evil.url);
    await page.waitForLoadState("networkidle");
    const now = await recorded(server);
    await page.done();
    assert.deepEqual(now, before, "nothing was done");
    return { said, answers };
  } finally {
    evil.close();
    await server.stop();
  }
}

const VOTE = { voter_id: "ann", vote: true };

test("a simple request, which no browser asks about first, is refused", { timeout: 60_000 }, async () => {
  const { said, answers } = await attack((page, url) =>
    page.evaluate(
      async ([url, vote]) => {
        // text/plain needs no preflight; the page cannot read the answer, but the request goes out.
        const sent = await fetch(`${url}/api/v1/quorum/q/vote`, { method: "POST", mode: "no-cors", body: JSON.stringify(vote) });
        return sent.type;
      },
      [url, VOTE],
    ),
  );
  assert.equal(said, "opaque");
  assert.deepEqual(answers, [403]);
});

test("a request of another origin that wants to read the answer is refused, and reads nothing", { timeout: 60_000 }, async () => {
  const { said } = await attack((page, url) =>
    page.evaluate(
      async ([url, vote]) => {
        const ask = (options) => fetch(`${url}/api/v1/quorum/q/vote`, { method: "POST", body: JSON.stringify(vote), ...options }).then(
          () => "answered",
          () => "refused",
        );
        const read = fetch(`${url}/api/v1/quorum/q/status`).then(
          () => "answered",
          () => "refused",
        );
        return Promise.all([ask({}), ask({ headers: { "content-type": "application/json" } }), ask({ credentials: "include" }), read]);
      },
      [url, VOTE],
    ),
  );
  assert.deepEqual(said, ["refused", "refused", "refused", "refused"]);
});

for (const enctype of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]) {
  test(`a form that posts ${enctype} is refused`, { timeout: 60_000 }, async () => {
    const { answers } = await attack(async (page, url) => {
      await Promise.all([
        page.waitForNavigation(),
        page.evaluate(
          ([url, enctype]) => {
            const form = Object.assign(document.createElement("form"), { method: "post", enctype, action: `${url}/api/v1/quorum/q/vote` });
            // With text/plain name and value make one JSON object around the sign between them.
            form.append(Object.assign(document.createElement("input"), { name: '{"voter_id":"ann","vote":true,"reason":"', value: '"}' }));
            document.body.append(form);
            form.submit();
          },
          [url, enctype],
        ),
      ]);
    });
    assert.deepEqual(answers, [403]);
  });
}

test("a websocket is not opened", { timeout: 60_000 }, async () => {
  const { said } = await attack((page, url) =>
    page.evaluate(
      (url) =>
        new Promise((done) => {
          const socket = new WebSocket(`${url.replace("http", "ws")}/api/v1/quorum/q/vote`);
          socket.onopen = () => done("open");
          socket.onerror = () => done("refused");
        }),
      url,
    ),
  );
  assert.equal(said, "refused");
});

test("events are told to no page of elsewhere, and no script, image or frame of it makes anything happen", { timeout: 60_000 }, async () => {
  const { said } = await attack((page, url) =>
    page.evaluate(async (url) => {
      const events = new Promise((done) => {
        const source = new EventSource(`${url}/api/v1/events`);
        source.onopen = () => done("open");
        source.onerror = () => {
          source.close();
          done("refused");
        };
      });
      const loaded = (tag, more) =>
        new Promise((done) => {
          const element = Object.assign(document.createElement(tag), more);
          element.onload = () => done("loaded");
          element.onerror = () => done("refused");
          document.body.append(element);
        });
      const script = loaded("script", { src: `${url}/api/v1/quorum/q/status` });
      const image = loaded("img", { src: `${url}/api/v1/quorum/q/cancel` });
      const beacon = navigator.sendBeacon(`${url}/api/v1/quorum/q/cancel`, "{}");
      return [await events, await script, await image, beacon];
    }, url),
  );
  assert.deepEqual(said, ["refused", "refused", "refused", true]);
});

test("a name of elsewhere that leads to this machine is refused", { timeout: 60_000 }, async () => {
  const server = await Server.start();
  try {
    await server.quorum("q", ["ann", "bob"]);
    const before = await recorded(server);
    // As after rebinding: the browser takes the server for that of the page, and so its origin for the page's.
    const page = await visit(server, { path: null });
    const port = new URL(server.url).port;
    const answer = await page.goto(`http://evil.example:${port}/api/v1/quorum/q/status`);
    assert.equal(answer.status(), 403);
    const voted = await page.evaluate(
      (vote) => fetch("/api/v1/quorum/q/vote", { method: "POST", body: JSON.stringify(vote) }).then((answer) => answer.json()),
      VOTE,
    );
    assert.equal(voted.error.kind, "foreign_host");
    await page.done();
    assert.deepEqual(await recorded(server), before);
  } finally {
    await server.stop();
  }
});
