// The rows of what is under way beside the decisions: they come after the first view.
import { h, clock, num, brief, pill, entity } from "./dom.js";
import { LATE, many } from "./parts.js";

/** The log of a job is named after it, and after its datacenter unless that is this one. */
const jobStream = (line) => (line.datacenter === "local" ? line.job_id : `${line.job_id}@${line.datacenter}`);

function job(line) {
  const all = line.status_reply?.datacenters ?? [];
  const one = all.find((view) => view.datacenter === line.datacenter) ?? {};
  const flows = Object.entries(one.workflow_counts ?? {}).filter(([, count]) => count > 0);
  const work = flows.map(([state, count]) => `${num(count)} ${state}`).join(", ");
  // At a gate there is no log of the job itself, and of its workflows only their number.
  const far = line.gate_id ? line.status_reply?.elsewhere?.find((place) => place.datacenter === line.datacenter) : null;
  const done = far?.workflows_total ? `${num(far.workflows_completed)} of ${many(far.workflows_total, "workflow")} done` : "";
  const words = [line.gate_id && `in ${line.datacenter}`, line.is_stuck && "nothing moves"];
  const lost = one.lost_workers?.length ? h("span.note.bad", null, `lost: ${one.lost_workers.join(", ")}`) : null;
  const leader = line.leader_id ?? one.leader_id;
  return h("li.row", null,
    h("span.what", null, line.gate_id ? entity("gate", line.job_id) : entity("job", jobStream(line)), h("span.question", null, [leader && `led by ${leader}`, work || done, ...words].filter(Boolean).join(" · "))),
    h("span.when", null, pill(line.status), clock(line.next_deadline, "ago"), lost));
}

function lease(line) {
  return h("li.row", null,
    h("span.what", null, h("b", null, line.holder_id), h("span.question", null, "leads ", entity("job", jobStream(line)))),
    h("span.when", null, pill(line.status), clock(line.expires_at, "ago")));
}

function cell(line) {
  const status = line.status_reply;
  const place = [line.ring !== null && line.ring !== undefined && `ring ${line.ring}`, line.arm && `arm ${line.arm}`, line.department].filter(Boolean).join(" · ");
  const what = h("span.what", null, entity("cell", line.cell_id), h("span.question", null, place || many(line.neighbors?.length ?? 0, "neighbor")));
  if (!status) return h("li.row", null, what, h("span.when", null, h("span.note", null, "lends nothing")));
  const used = Math.max(0, status.total - status.capacity);
  const meter = h("meter", { min: 0, max: status.total || 1, value: used, high: (status.total || 1) * 0.85, "aria-label": `in use of ${line.cell_id}` });
  const words = `${num(used)} of ${num(status.total)} in use · ${many(status.pending_needs, "pending need")}`;
  return h("li.row", null, what, h("span.tally", null, meter, h("span", null, words)), h("span.when", null, pill(status.state)));
}

function agent(line) {
  return h("li.row", null,
    h("span.what", null, entity("agent", line.agent_id)),
    h("span.when", null, line.last_heartbeat ? clock(line.last_heartbeat, "ago") : h("span.note", null, "no heartbeat yet"), pill(line.monitored ? (line.health ?? "unknown") : "not monitored")));
}

function worker(line) {
  const runs = `${num(line.running)} of ${many(line.capacity, "workflow")}`;
  return h("li.row", null,
    h("span.what", null, entity("worker", line.worker_id), h("span.question", null, [line.datacenter, runs].filter(Boolean).join(" · "))),
    h("span.when", null, line.heard_at && clock(line.heard_at, "ago"), pill(line.phase)));
}

function member(line) {
  const words = [line.role, line.datacenter, line.is_self ? "this node" : line.rtt_ms !== null && `${num(line.rtt_ms)} ms`];
  return h("li.row", null,
    h("span.what", null, h("b", null, line.node_id), h("span.question", null, words.filter(Boolean).join(" · "))),
    h("span.when", null, line.seen_at && clock(line.seen_at, "ago"), pill(line.state)));
}

/** A line of a list this page knows no more about: its id, and what else is short. */
function plain(kind, idOf) {
  return (line) => {
    const id = String(line[idOf] ?? line.id ?? line.name ?? "");
    const state = line.state ?? line.status ?? line.phase ?? line.health;
    const short = Object.entries(line).filter(([name, value]) => !/(^|_)id$|state|status|phase|health|token|deadline/.test(name) && ["string", "number"].includes(typeof value));
    const words = short.slice(0, 4).map(([name, value]) => `${name.replaceAll("_", " ")} ${brief(value)}`).join(" · ");
    return h("li.row", null, h("span.what", null, entity(kind, id), h("span.question", null, words)), h("span.when", null, state !== undefined && pill(brief(state)), line.deadline && clock(line.deadline)));
  };
}

function problem(line) {
  return h("li.row", null, h("span.what", null, h("b", null, line.detail), h("span.question", null, line.next)), h("span.when", null, pill(line.problem, "bad")));
}

function overdue(line) {
  return h("li.row", null, h("span.what", null, entity(line.kind, line.id), h("span.question", null, line.what)), h("span.when", null, pill(line.kind, "odd"), clock(line.since, "ago")));
}

Object.assign(LATE, { problem, overdue, job, lease, cell, agent, worker, member, stop: plain("stop", "stop_id") });
