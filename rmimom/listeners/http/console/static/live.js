// Live pages.
//
// Counters of queues and topics come by server-sent events and are written into the cells that show them.  Other lists are
// read again every few seconds, as pages, and exchanged where they differ; not while somebody chooses rows or types in
// them.  A tab in the background listens to nothing: browsers open few connections to one server.

import { dialogIsOpen } from "./dialogs.js";
import { ask, clock, make, toLogin } from "./page.js";

const AGAIN = 2000; // milliseconds
const PUSHED = new Set(["queues", "topics", "counts", "messages"]);

let source = null;
let away = null;
let awaySince = 0;
let role = document.body.dataset.role;
let others = [];
let asking = 0;
let renewing = 0;
let swaps = 0;

export function startLive() {
  const mark = make("span", { class: "live", id: "live", role: "status" }, "");
  if (document.getElementById("tabs")) {
    document.getElementById("tools").prepend(mark);
    document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
    document.addEventListener("htmx:afterSwap", () => swaps++);
    addEventListener("pagehide", disconnect);
    addEventListener("pageshow", () => !document.hidden && connect());
    connect();
  }
  return () => schedule();

  function show(text, state) {
    mark.textContent = text;
    mark.className = `live ${state}`;
  }

  function connect() {
    if (source) return;
    source = new EventSource("/api/v1/events");
    source.addEventListener("open", () => {
      show("live", "on");
      cameBack();
      learnOthers();
    });
    source.addEventListener("counters", (event) => takeCounters(JSON.parse(event.data)));
    source.addEventListener("destinations", (event) => takeDestinations(JSON.parse(event.data)));
    source.addEventListener("error", () => {
      disconnect();
      show("away", "off");
      findOut();
    });
    schedule();
  }

  function disconnect() {
    source?.close();
    source = null;
    clearTimeout(asking);
    clearTimeout(renewing);
  }

  /** The stream ended: because the session did, or because the server is away. */
  async function findOut() {
    try {
      const response = await fetch("/api/v1/me", { cache: "no-store" });
      if (response.status === 401) return toLogin();
    } catch {
      wentAway();
    }
    clearTimeout(asking);
    asking = setTimeout(() => !document.hidden && connect(), AGAIN);
  }
}

function wentAway() {
  if (!away) {
    awaySince = Date.now();
    away = make("div", { class: "away", role: "alert", id: "away" });
    document.body.append(away);
  }
  const text = `This server has not answered since ${clock(awaySince)}. What is shown may be old; it is tried again every two seconds.`;
  away.replaceChildren(make("p", {}, text));
  if (others.length) {
    const links = others.flatMap((one, index) => [index ? ", " : "", one]);
    away.append(make("p", {}, "Another server of the cluster may be active by now: ", ...links.map((one) => (typeof one === "string" ? one : link(one)))));
  }
}

const link = (one) => (one.url ? make("a", { href: one.url, "hx-boost": "false" }, one.name) : one.name);

function cameBack() {
  if (!away) return;
  away.remove();
  away = null;
  renew(true);
}

/** Remember where the other servers of the cluster are: when this one is gone it cannot be asked. */
async function learnOthers() {
  try {
    const response = await ask("/api/v1/cluster");
    if (!response.ok) return null;
    const answer = await response.json();
    others = readOthers(answer);
    return answer;
  } catch {
    return null; // it is asked again with the next connection
  }
}

/** The server has another role than before, so its pages are others: say so, and where the active one is. */
async function changeRole(now) {
  await renew(true);
  const answer = await learnOthers();
  const notice = make("p", { class: "notice warning" }, `This server is ${now} now. `);
  if (now !== "active" && answer?.active) {
    notice.append("The active one is ", link({ name: answer.active, url: answer.active_http }), ".");
  }
  document.getElementById("notices")?.append(notice);
}

function readOthers(answer) {
  const servers = answer.status?.servers ?? [];
  return servers
    .filter((server) => server.server_id !== answer.server_id && server.address)
    .map((server) => ({ name: server.address, url: urlOf(server, answer) }));
}

/** Where the console of a server is: known of the active one; of others it is likely on the port that ours is on. */
function urlOf(server, answer) {
  if (server.role === "active" && answer.active_http) return `${answer.active_http}/`;
  const host = server.address.slice(0, server.address.lastIndexOf(":"));
  return host && !["127.0.0.1", "localhost"].includes(host) ? `${location.protocol}//${host}:${location.port}/` : "";
}

function takeCounters(event) {
  if (role !== event.role) changeRole(event.role);
  role = event.role;
  if (event.sample) write(document.querySelector('[data-live="counts"]'), event.sample);
  for (const cell of document.querySelectorAll('[data-live="status"] [data-field="role"]')) put(cell, event.role);
  for (const cell of document.querySelectorAll('[data-live="status"] [data-field="epoch"]')) put(cell, event.epoch);
}

function takeDestinations(event) {
  let unknown = false;
  for (const row of event.changed) {
    const list = document.querySelector(`table[data-live="${row.kind}s"]`);
    for (const shown of document.querySelectorAll(`dl[data-live="${row.kind}s"][data-key="${CSS.escape(row.name)}"]`)) write(shown, row);
    if (!list) continue;
    const found = list.querySelector(`tr[data-key="${CSS.escape(row.name)}"]`);
    if (!found || found.hasAttribute("data-paused") !== row.paused) unknown = true;
    if (found) write(found, row);
  }
  for (const name of event.removed) {
    const [kind, rest] = [name.slice(0, name.indexOf("://")), name.slice(name.indexOf("://") + 3)];
    const found = document.querySelector(`table[data-live="${kind}s"] tr[data-key="${CSS.escape(rest)}"]`);
    found?.classList.add("gone");
  }
  // Others may belong on this page, at a place that the server knows.
  if (unknown) renew(false);
}

function write(element, row) {
  for (const cell of element?.querySelectorAll("[data-field]") ?? []) {
    if (cell.dataset.field in row) put(cell, row[cell.dataset.field]);
  }
}

function put(cell, value) {
  const text = String(value);
  if (cell.textContent === text) return;
  cell.textContent = text;
  cell.classList.remove("changed");
  void cell.offsetWidth; // begins the animation anew
  cell.classList.add("changed");
}

/** Read the page again in a while, if it holds something that is not pushed. */
function schedule() {
  clearTimeout(renewing);
  const polled = [...document.querySelectorAll("[data-live]")].some((one) => !PUSHED.has(one.dataset.live));
  if ((polled || wanted) && source) renewing = setTimeout(() => renew(false), AGAIN);
}

let busy = false;
let wanted = false;
let last = 0;

/** Read this page again and exchange what is live and differs; with `whole` at once, and everything if nobody is at it. */
async function renew(whole) {
  clearTimeout(renewing);
  wanted ||= whole;
  if (busy || document.hidden) return schedule();
  if (!wanted && Date.now() - last < AGAIN) {
    renewing = setTimeout(() => renew(false), AGAIN);
    return undefined;
  }
  busy = true;
  last = Date.now();
  const before = swaps;
  const all = wanted;
  wanted = false;
  try {
    // By its header the server knows that nobody looks at the answer: what a form did is said on the page that it leads to.
    const response = await ask(location.href, { headers: { "rmimom-renewal": "1" } });
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    // A link that was followed meanwhile, or a form that was sent, brought a newer page.
    if (response.ok && before === swaps) exchange(page, all);
    wanted ||= all && !(response.ok && before === swaps);
  } catch {
    wanted ||= all;
    // The mark of the live connection says that the server is away.
  } finally {
    busy = false;
  }
  return schedule();
}

function exchange(page, all) {
  const [where, isWhere] = [document.getElementById("where"), page.getElementById("where")];
  if (where && isWhere && where.innerHTML !== isWhere.innerHTML) where.replaceWith(document.adoptNode(isWhere));
  const main = document.getElementById("main");
  const shows = [...main.querySelectorAll("[data-live]")];
  if (all && shows.length && !isInUse(main)) {
    const fresh = document.adoptNode(page.getElementById("main"));
    fresh.querySelector("#notices").replaceWith(document.getElementById("notices"));
    main.replaceChildren(...fresh.childNodes); // itself it stays: a link that is being followed swaps this element
    htmx.process(main);
    document.dispatchEvent(new Event("exchanged"));
    return;
  }
  const reads = [...page.querySelectorAll("#main [data-live]")];
  if (reads.length !== shows.length) return;
  shows.forEach((shown, index) => {
    const read = reads[index];
    if (read.dataset.live !== shown.dataset.live || isInUse(shown)) return;
    const [old, fresh] = shown.tagName === "TABLE" ? [shown.tBodies[0], read.tBodies[0]] : [shown, read];
    if (!old || !fresh || plain(old) === plain(fresh)) return;
    old.replaceChildren(...document.adoptNode(fresh).childNodes);
    htmx.process(old);
  });
}

/** Whether somebody types in it, or chose something in it. */
function isInUse(element) {
  const typing = element.contains(document.activeElement) && document.activeElement !== element;
  return typing || dialogIsOpen() || element.querySelector("input:checked, details[open]") !== null;
}

/** Markup without what only scripts add. */
const plain = (element) => element.innerHTML.replaceAll(/ class="changed"| changed(?=")|\s*class="htmx-[^"]*"/g, "");
