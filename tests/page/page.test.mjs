// What does a person see and do at `/`? Run by `.ci/run page`.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, test } from "node:test";
import { Server, closeBrowser, inParallel, overhang, visit, weakestContrast } from "./support.mjs";

const SHOTS = process.env.PAGE_SHOTS;
if (SHOTS) mkdirSync(SHOTS, { recursive: true });

after(closeBrowser);

/** A test with a server of its own; what the page complains of fails it. */
function withServer(name, body) {
  test(name, { timeout: 120_000 }, async () => {
    const server = await Server.start();
    const pages = [];
    const open = async (options) => {
      const page = await visit(server, options);
      pages.push(page);
      return page;
    };
    try {
      await body(server, open);
      for (const page of pages) assert.deepEqual(page.complaints, []);
    } finally {
      await Promise.all(pages.map((page) => page.done()));
      await server.stop();
    }
  });
}

/** With PAGE_SHOTS=DIR pictures of what the tests see are kept there. */
const shot = (page, name) => SHOTS && page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: !name.startsWith("many") });

const LOOKS = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["phone", { colorScheme: "light", viewport: { width: 360, height: 780 }, hasTouch: true, isMobile: true }],
  ["phone-dark", { colorScheme: "dark", viewport: { width: 360, height: 780 }, hasTouch: true, isMobile: true }],
];

/** In every look: nothing is too faint, and nothing is wider than the window. */
async function looks(open, name, path, before) {
  for (const [look, options] of LOOKS) {
    const page = await open({ ...options, path });
    await page.locator("#live[data-state=live]").waitFor();
    await before?.(page);
    await shot(page, `${name}-${look}`);
    const weakest = await weakestContrast(page);
    assert.ok(weakest.ratio >= 4.5, `${name} ${look}: ${JSON.stringify(weakest)}`);
    assert.equal(await overhang(page), 0, `${name} ${look}`);
    await page.done();
  }
}

/** Three of each kind, and something beside them. */
async function three(server) {
  await server.agents("ann", "bob", "cyd", "dan", "eve");
  await server.quorum("release-4.2", ["ann", "bob", "cyd"], { subject: "Ship release 4.2 to the canary ring" });
  await server.proposal("rotate-keys", "Rotate the signing keys of the build farm");
  await server.session("vendor-audit", ["ann", "bob", "cyd", "dan"], "Accept the audit of the vendor");
  await server.ask("quorum/release-4.2/vote", { voter_id: "bob", vote: true, reason: "The canaries are green" });
  await server.ask("consensus/rotate-keys/vote", { agent_id: "bob", vote: "for" });
  await server.ask("consensus/rotate-keys/vote", { agent_id: "cyd", vote: "against", reason: "Not on a Friday" });
  await server.ask("jobs/submit", { job_id: "nightly-index", timeout_seconds: 5400, leader_id: "node-7", workflows: [{ workflow_id: "scan" }, { workflow_id: "merge", depends_on: ["scan"] }] });
  await server.ask("jobs/submit", { job_id: "backup", timeout_seconds: 900 });
  await server.ask("cells/register", { cell_id: "hub", neighbors: ["west"], ring: 0 });
  await server.ask("cells/register", { cell_id: "west", neighbors: ["hub"], ring: 1, arm: "w", department: "ingest" });
  await server.ask("backpressure/hub/configure", { totals: { capacity: 10 } });
  await server.ask("backpressure/hub/request", { requested_capacity: 4 });
}

withServer("with nothing open the page says so, and how to begin", async (server, open) => {
  const page = await open();
  await page.locator("#live[data-state=live]").waitFor();
  assert.match(await page.locator("main").innerText(), /No proposal is open.*quorate consensus request/);
  assert.match(await page.locator(".tiles").innerText(), /Open decisions\s+0/);
  // The document and its files, the view, the stream: nothing else, and nothing from elsewhere.
  assert.ok(page.requests.every((request) => request.url().startsWith(server.url)));
  const asked = page.requests.map((request) => new URL(request.url()).pathname);
  assert.equal(asked.filter((path) => path === "/api/v1/events").length, 1);
  assert.equal(asked.filter((path) => path === "/page/view").length, 1);
  assert.ok(asked.every((path) => path === "/" || path.startsWith("/page/") || path === "/api/v1/events"), asked.join());
  await looks(open, "none", "/");
});

withServer("open decisions stand there with tallies, deadlines and what else is under way", async (server, open) => {
  await three(server);
  const page = await open();
  const row = page.locator("#proposals .row");
  await row.waitFor();
  assert.match(await row.innerText(), /rotate-keys\s+Rotate the signing keys.*1 for · 1 against · 3 outstanding\s+(4 min \d+ s|5 min 0 s) left/s);
  const before = await row.locator("time").innerText();
  await page.waitForFunction((text) => document.querySelector("#proposals time").textContent !== text, before);
  assert.match(await page.locator("#sessions .row").innerText(), /vendor-audit.*0 of 4 votes · round 1/s);
  if (await server.listsQuorums()) {
    assert.match(await page.locator("#quorums .row").innerText(), /release-4.2\s+Ship release 4.2.*1 of 2 approvals · 0 rejections · 2 outstanding/s);
  }
  assert.match(await page.locator("#jobs").innerText(), /nightly-index\s+led by node-7/);
  assert.match(await page.locator("#cells").innerText(), /hub\s+ring 0/);
  assert.match(await page.locator("#agents").innerText(), /ann/);
  await looks(open, "three", "/");
});

withServer("three thousand open decisions leave the page quick, and all of them can be reached", async (server, open) => {
  await server.agents("ann", "bob");
  await inParallel(3000, (n) => server.proposal(`question-${String(n).padStart(4, "0")}`, `Let batch ${n} pass to the next ring`));
  const page = await open();
  await page.locator("#proposals .row").first().waitFor();
  assert.equal(await page.locator("#proposals .row").count(), 50);
  assert.ok((await page.locator("*").count()) < 2500);
  assert.match(await page.locator("#proposals h2").innerText(), /3,000/);
  const first = await page.locator("#proposals .row .id").first().innerText();
  await page.getByRole("button", { name: "2,950 more" }).click();
  await page.getByRole("button", { name: "2,900 more" }).waitFor();
  assert.notEqual(await page.locator("#proposals .row .id").first().innerText(), first);
  await page.locator("#proposals").getByRole("button", { name: "Back" }).click();
  await page.getByRole("button", { name: "2,950 more" }).waitFor();
  await page.getByLabel("Vote as").fill("ann");
  await page.getByRole("button", { name: "Show" }).click();
  await page.locator("#waiting h2", { hasText: "1,000+" }).waitFor();
  // The view is bounded, whatever is open.
  const view = await (await fetch(`${server.url}/page/view?voter=ann`)).text();
  assert.ok(view.length < 400_000, `${view.length} bytes`);
  await looks(open, "many", "/");
});

withServer("a vote is cast by the button, with its reason", async (server, open) => {
  await three(server);
  const page = await open();
  await page.getByLabel("Vote as").fill("ann");
  await page.getByRole("button", { name: "Show" }).click();
  const waiting = page.locator("#waiting .row", { hasText: "rotate-keys" });
  await waiting.getByRole("button", { name: "Vote on rotate-keys" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Rotate the signing keys").waitFor();
  await shot(page, "vote-light");
  await dialog.getByRole("radio", { name: "Against" }).check();
  await dialog.getByLabel(/^Reason/).fill("The ceremony room is closed");
  await dialog.getByRole("button", { name: "Cast the vote" }).click();
  await page.getByText("The vote was cast: ann, against. proposal rotate-keys is open.").waitFor();
  const { result } = await server.ask("consensus/rotate-keys/result");
  assert.deepEqual([result.votes.ann.vote, result.votes.ann.reason], ["against", "The ceremony room is closed"]);
  await waiting.waitFor({ state: "detached" });
  await page.locator("#proposals .row", { hasText: "1 for · 2 against" }).waitFor();

  await page.locator("#sessions").getByRole("button", { name: "Vote on vendor-audit" }).click();
  await dialog.getByRole("radio", { name: "For", exact: true }).check();
  await dialog.getByRole("button", { name: "Cast the vote" }).click();
  await page.locator("#sessions .row", { hasText: "1 of 4 votes" }).waitFor();

  // What the server refuses is said in its words, and the dialog stays.
  await page.locator("#proposals").getByRole("button", { name: "Vote on rotate-keys" }).click();
  await dialog.getByLabel("Vote as").fill("stranger");
  await dialog.getByRole("radio", { name: "Abstain" }).check();
  await dialog.getByRole("button", { name: "Cast the vote" }).click();
  await dialog.getByRole("alert").filter({ hasText: /^not_\w+: / }).waitFor();
  page.complaints.splice(0, 1).forEach((text) => assert.match(text, /40[0-9]/));
});

withServer("a quorum is voted on by the button too", async (server, open) => {
  await three(server);
  if (!(await server.listsQuorums())) return;
  const page = await open();
  await page.locator("#quorums").getByRole("button", { name: "Vote on release-4.2" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Vote as").fill("ann");
  await dialog.getByRole("radio", { name: "Approve" }).check();
  await dialog.getByRole("button", { name: "Cast the vote" }).click();
  await page.getByText("The vote was cast: ann, approve. quorum release-4.2 is approved.").waitFor();
  await page.locator("#quorums .row").waitFor({ state: "detached" });
});

withServer("what happens elsewhere is seen at once", async (server, open) => {
  await three(server);
  const page = await open();
  await page.locator("#live[data-state=live]").waitFor();
  await page.evaluate(() => (window.same = true));
  await server.ask("consensus/rotate-keys/vote", { agent_id: "dan", vote: "for" });
  await page.locator("#proposals .row", { hasText: "2 for · 1 against" }).waitFor();
  await server.proposal("second", { action: "drain", cells: ["west"] });
  await page.locator("#proposals .row", { hasText: '{"action":"drain","cells":["west"]}' }).waitFor();
  await server.ask("consensus/rotate-keys/vote", { agent_id: "eve", vote: "for" });
  await page.locator("#proposals .row", { hasText: "rotate-keys" }).waitFor({ state: "detached" });
  assert.ok(await page.evaluate(() => window.same), "the page was not loaded again");
});

withServer("markup in any text stays text", async (server, open) => {
  const evil = (where) => `<img src=x onerror="window.hacked='${where}'"><script>window.hacked='${where}'</script>`;
  const id = (where) => `${where}-<b onclick=alert(1)>`;
  await server.agents(id("agent"), "ann", "bob");
  await server.proposal(id("proposal"), { [evil("key")]: evil("value") }, { participants: ["ann", "bob", id("agent")] });
  await server.proposal("text", evil("proposal"));
  await server.session(id("session"), ["ann", "bob", "cyd"], evil("session"));
  await server.quorum(id("quorum"), ["ann", "bob", "cyd"], { subject: evil("subject") });
  await server.ask(`quorum/${encodeURIComponent(id("quorum"))}/vote`, { voter_id: "ann", vote: true, reason: evil("reason") });
  await server.ask("consensus/text/vote", { agent_id: "ann", vote: "for", reason: evil("reason"), metadata: { [evil("m")]: evil("n") } });
  await server.ask("jobs/submit", { job_id: id("job"), leader_id: id("leader"), timeout_seconds: 60 });
  await server.ask("cells/register", { cell_id: id("cell"), department: evil("department"), arm: evil("arm") });
  await server.ask(`agent/${encodeURIComponent("ann")}/beat`, { metadata: { x: evil("beat") } });
  const page = await open();
  await page.locator("#proposals .row").first().waitFor();
  const check = async (place) => {
    const found = await page.evaluate(() => [window.hacked, document.querySelectorAll("img").length, document.querySelectorAll("script").length, document.querySelectorAll("main b[onclick]").length]);
    assert.deepEqual(found, [undefined, 1, 1, 0], place);
  };
  await check("overview");
  assert.ok((await page.locator("#proposals").innerText()).includes(evil("proposal")));
  assert.ok((await page.locator("#cells").innerText()).includes(evil("department")));
  await page.locator("#proposals").getByRole("button", { name: `Vote on ${id("proposal")}` }).click();
  await page.getByRole("dialog").getByText("onerror").waitFor();
  await check("dialog");
  await page.keyboard.press("Escape");
  for (const [kind, name] of [["proposal", "text"], ["proposal", id("proposal")], ["session", id("session")], ["quorum", id("quorum")], ["job", id("job")], ["cell", id("cell")], ["agent", id("agent")]]) {
    await page.goto(`${server.url}/#/entity/${kind}/${encodeURIComponent(name)}`);
    await page.locator("h1", { hasText: name }).waitFor();
    await page.locator(".step").first().waitFor();
    for (const summary of await page.locator("summary").all()) await summary.click();
    await check(`${kind} ${name}`);
  }
  await page.goto(`${server.url}/#/entity/proposal/text`);
  await page.locator("td", { hasText: "window.hacked='reason'" }).waitFor();
  await page.goto(`${server.url}/#/entity//${encodeURIComponent(evil("hash"))}`);
  await page.getByText("Nothing is recorded under this id.").waitFor();
  await check("hash");
  page.complaints.splice(0).forEach((text) => assert.match(text, /404/));
});

withServer("the keyboard alone reaches a decision and casts a vote", async (server, open) => {
  await three(server);
  const page = await open();
  await page.locator("#proposals .row").first().waitFor();
  const focused = () => page.evaluate(() => {
    const node = document.activeElement;
    const style = getComputedStyle(node.closest(".choice") ?? node);
    return { name: node.getAttribute("aria-label") ?? node.textContent, visible: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 };
  });
  let seen = 0;
  for (let at = await focused(); at.name !== "Vote on rotate-keys"; at = await focused()) {
    assert.ok((seen += 1) < 60, "the button is never reached");
    await page.keyboard.press("Tab");
    assert.ok((await focused()).visible, `no visible focus: ${(await focused()).name}`);
  }
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowLeft");
  assert.ok((await focused()).visible);
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.type("dan");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.type("By hand");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByText("The vote was cast: dan, for.").waitFor();
  const { result } = await server.ask("consensus/rotate-keys/result");
  assert.deepEqual([result.votes.dan.vote, result.votes.dan.reason], ["for", "By hand"]);
  // Whoever used the keyboard is where they were, although the row was made anew.
  await page.locator("#proposals .row", { hasText: "2 for" }).waitFor();
  assert.equal((await focused()).name, "Vote on rotate-keys");
  await page.keyboard.press("/");
  assert.equal((await focused()).name, "Id of an entity");
});

withServer("a server that comes again is followed from where it was left", async (server, open) => {
  await three(server);
  const page = await open();
  await page.locator("#live[data-state=live]").waitFor();
  await server.ask("consensus/rotate-keys/vote", { agent_id: "dan", vote: "for" });
  await page.locator("#proposals .row", { hasText: "2 for" }).waitFor();
  await server.kill();
  await page.locator("#live[data-state=reconnecting]").waitFor();
  Object.assign(server, await server.again());
  await server.ask("consensus/rotate-keys/vote", { agent_id: "ann", vote: "against" });
  await page.locator("#proposals .row", { hasText: "2 for · 2 against" }).waitFor({ timeout: 40_000 });
  await page.locator("#live[data-state=live]").waitFor();
  const streams = page.requests.filter((request) => request.url().endsWith("/api/v1/events"));
  const first = Number(streams[0].headers()["last-event-id"]);
  const last = Number(streams.at(-1).headers()["last-event-id"]);
  assert.ok(last > first, `taken up after ${last}, not after ${first}`);
  page.complaints.splice(0).forEach((text) => assert.match(text, /ERR_/));
});

withServer("with identities the page asks for a token, and keeps it in its tab", async (server, open) => {
  await three(server);
  const { identity: root } = await server.ask("identities/create", { name: "root", scopes: ["admin"] });
  const ann = { name: "ann-laptop", scopes: ["read", "consensus.vote"], acts_as: ["agent:ann"] };
  const { identity: made } = await server.ask("identities/create", ann, root.token);
  const page = await open();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.ok(!(await page.locator("body").innerText()).includes("rotate-keys"));
  await page.getByLabel("Token").fill("quorate_0000");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").filter({ hasText: "not_authenticated: " }).waitFor();
  await shot(page, "sign-in-light");
  await page.getByLabel("Token").fill(made.token);
  await page.keyboard.press("Enter");
  await page.locator("#proposals .row").first().waitFor();
  assert.match(await page.locator("#who").innerText(), /ann-laptop/);
  await page.locator("#live[data-state=live]").waitFor();
  // As whom she votes needs no asking, and what waits for her stands there.
  const waiting = page.locator("#waiting .row", { hasText: "rotate-keys" });
  await waiting.getByRole("button").click();
  const dialog = page.getByRole("dialog");
  assert.equal(await dialog.getByLabel("Vote as").inputValue(), "ann");
  await dialog.getByRole("radio", { name: "For", exact: true }).check();
  await dialog.getByRole("button", { name: "Cast the vote" }).click();
  await page.getByText("The vote was cast: ann, for.").waitFor();
  const log = await server.ask("history/entity/rotate-keys", undefined, root.token);
  assert.equal(log.events.at(-1).identity, "ann-laptop");
  // No cookie, nothing that outlives the tab, and no token in an address.
  assert.deepEqual(await page.context().cookies(), []);
  assert.deepEqual(await page.evaluate(() => [localStorage.length, document.cookie]), [0, ""]);
  assert.ok(page.requests.every((request) => !request.url().includes("quorate_")));
  await page.reload();
  await page.locator("#proposals .row").first().waitFor();
  // A token that ends ends the page.
  await server.ask("identities/ann-laptop/revoke", {}, root.token);
  await page.getByRole("heading", { name: "Sign in" }).waitFor({ timeout: 30_000 });
  assert.ok(!(await page.locator("body").innerText()).includes("rotate-keys"));
  page.complaints.splice(0).forEach((text) => assert.match(text, /401/));
  const other = await open();
  await other.getByLabel("Token").fill(root.token);
  await other.keyboard.press("Enter");
  await other.getByRole("button", { name: "Sign out" }).click();
  await other.getByRole("heading", { name: "Sign in" }).waitFor();
  assert.equal(await other.evaluate(() => sessionStorage.length), 0);
  other.complaints.splice(0).forEach((text) => assert.match(text, /401/));
});

withServer("an entity shows how it stands and everything that is recorded of it", async (server, open) => {
  await three(server);
  const page = await open();
  await page.getByLabel("Id of an entity").fill("rotate-keys");
  await page.keyboard.press("Enter");
  await page.locator(".step").first().waitFor();
  assert.match(await page.locator(".steps").innerText(), /vote cast.*cyd.*against.*opened/s);
  await page.locator("td", { hasText: "Not on a Friday" }).waitFor();
  await server.ask("consensus/rotate-keys/vote", { agent_id: "dan", vote: "abstain" });
  await page.locator(".step", { hasText: "abstain" }).waitFor();
  await page.getByRole("link", { name: "dan" }).first().click();
  await page.locator("h1", { hasText: "dan" }).waitFor();
  await page.goBack();
  await page.goto(`${server.url}/#/entity/job/nightly-index`);
  await page.getByRole("heading", { name: "Why" }).waitFor();
  await looks(open, "proposal", "/#/entity/proposal/rotate-keys", (one) => one.locator(".step").first().waitFor());
  await looks(open, "job", "/#/entity/job/nightly-index", (one) => one.locator(".step").first().waitFor());
});

withServer("a long log begins at its end, and older events can be asked for", async (server, open) => {
  await server.agents("ann", "bob");
  await server.proposal("long", "Which?", { vote_change: "replace" });
  for (let n = 0; n < 130; n += 1) await server.ask("consensus/long/vote", { agent_id: "ann", vote: n % 2 ? "abstain" : "against" }).catch(() => undefined);
  const { revision } = await server.ask("history/entity/long?limit=1");
  if (revision <= 50) return;
  const page = await open({ path: "/#/entity/proposal/long" });
  await page.locator(".step").first().waitFor();
  assert.equal(await page.locator(".step .seq").first().innerText(), String(revision));
  await page.getByRole("button", { name: /older/ }).click();
  await page.locator(".step").nth(60).waitFor();
  assert.equal(await page.locator(".step").count(), 100);
});

withServer("parts whose operation is not there are hidden, and those that are show what they are told", async (server, open) => {
  const page = await open();
  await page.locator("#agents").waitFor();
  for (const part of ["stops", "members"]) {
    const op = await fetch(`${server.url}/api/v1/${part}`);
    if (op.status === 404) assert.ok(!(await page.locator(`#${part}`).isVisible()), part);
  }
  // As a version would answer that has them all.
  const evil = "<img src=x onerror=window.hacked=1>";
  const soon = new Date(Date.now() + 90_000).toISOString();
  const ago = new Date(Date.now() - 20_000).toISOString();
  const member = (node_id, state, vec, more) => ({ node_id, role: "worker", datacenter: "eu-1", state, rtt_ms: 12.3456, seen_at: ago, coordinate: vec && { vec }, ...more });
  const told = {
    overview: {
      problems: [{ problem: "overloaded_cell", detail: `cell west ${evil}`, next: "quorate capacity holders west" }], problems_total: 1,
      overdue: [{ kind: "job", id: "late-job", what: "stuck", since: ago, for_ms: 20_000 }], overdue_total: 1,
    },
    quorums: { quorums: [{ quorum_id: "deploy-7", quorum_type: "global", cell_id: null, state: "open", approve_votes: 1, reject_votes: 1, required_votes: 3, voter_count: 5, outstanding_count: 3, outstanding: ["cyd"], opened_at: ago, deadline: soon, subject: evil }], open: 2951, next_cursor: "7", more: true },
    stops: { stops: [{ stop_id: "stop-1", scope: "jobs", reason: evil }] },
    workers: { workers: [{ worker_id: "w-1", datacenter: "local", phase: "serving", capacity: 4, running: 1, heard_at: ago }] },
    leases: { leases: [{ job_id: "index", datacenter: "eu-1", status: "running", holder_id: "node-2", expires_at: soon }] },
    members: { members: [member("node-1", "OK", [0.01, 0.02, 0], { is_self: true }), member(evil, "SUSPECT", [0.04, -0.01, 0]), member("node-3", "DEAD", null)] },
  };
  const full = await open({ path: null });
  await full.route("**/page/view?*", async (route) => {
    const answer = await route.fetch();
    const json = await answer.json();
    for (const [part, reply] of Object.entries(told)) json.view.parts[part] = { reply };
    await route.fulfill({ response: answer, json });
  });
  await full.goto(server.url);
  await full.locator("#members svg").waitFor();
  assert.deepEqual(await full.locator("#members svg text").allTextContents(), ["node-1", evil.slice(0, 24)]);
  assert.equal(await full.locator("#members svg circle").count(), 2);
  assert.match(await full.locator("#members .rows").innerText(), /node-1\s+worker · eu-1 · this node.*OK.*SUSPECT.*node-3.*DEAD/s);
  assert.match(await full.locator("#problems").innerText(), /What is wrong 1\s+cell west <img.*quorate capacity holders west\s+overloaded cell/s);
  assert.match(await full.locator("#overdue").innerText(), /late-job\s+stuck\s+job\s+2\d s ago/s);
  assert.match(await full.locator("#quorums .row").innerText(), /deploy-7\s+<img src=x.*1 of 3 approvals · 1 rejection · 3 outstanding\s+1 min \d+ s left/s);
  assert.match(await full.locator("#quorums").innerText(), /2,951.*2,950 more/s);
  assert.match(await full.locator("#stops").innerText(), /stop-1\s+scope jobs · reason <img/);
  assert.match(await full.locator("#leases").innerText(), /node-2\s+leads index@eu-1/);
  assert.match(await full.locator("#workers").innerText(), /w-1\s+local · 1 of 4 workflows/);
  assert.equal(await full.evaluate(() => window.hacked), undefined);
  assert.equal(await full.locator("img").count(), 1);
  await shot(full, "all-light");
});

withServer("the verify button says what history.verify says", async (server, open) => {
  await three(server);
  const page = await open();
  await page.getByRole("button", { name: "Verify the history" }).click();
  await page.locator("[aria-labelledby=h-history]", { hasText: /whole \d+ records of \d+ entities in \d+ groups fit together/ }).waitFor();
  const calm = await open({ reducedMotion: "reduce" });
  await calm.locator("#live").waitFor();
  assert.equal(await calm.evaluate(() => getComputedStyle(document.querySelector("#live"), "::before").animationName), "none");
});
