// The frame of the page: socket, time, pages, actions.
import { clock, readHello, readTick } from "./model.js";
import { floorPage, machinesPage, outagesPage, servicesPage } from "./pages.js";

const find = (id) => document.getElementById(id);
const PAGES = { "/floor": floorPage, "/services": servicesPage, "/outages": outagesPage, "/machines": machinesPage };
const TABLES_MS = 500; // tables are read by people: twice a second is enough
const RETRY_MS = [500, 1000, 2000, 5000];

const state = { hall: null, tick: null, poses: null, watch: { outages: [], alarms: [] }, live: true, span: null };
window.factoryTwin = { state, frames: 0 }; // for tests and for the curious
let newest = null;
let page = null;
let tries = 0;
let shownMs = 0;
let late = null;

function tell(text) {
  find("told").textContent = text;
}

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  if (answer.status === 401) location.replace("/login");
  return [answer.ok, await answer.json()];
}

function confirmed(text) {
  const dialog = find("confirm");
  find("confirm-text").textContent = text;
  dialog.returnValue = "cancel";
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true }));
}

// Ask something of the twin, after a question where one is given, and say what became of it.
async function act(name, details = {}, question = null) {
  if (question && !(await confirmed(question))) return false;
  try {
    const [ok, answer] = name === "acknowledge" ? await post(`/api/alarms/${details.number}/acknowledge`, {}) : await post("/api/commands", { name, ...details });
    if (name !== "acknowledge" || !ok) tell(ok ? `Done: ${answer.message}.` : `Not done: ${typeof answer.detail === "string" ? answer.detail : "the values are not possible"}.`);
    return ok;
  } catch {
    tell("Not done: the twin does not answer.");
    return false;
  }
}

function show(now = false) {
  if (!page || !state.hall || !state.tick) return;
  find("hall").textContent = state.hall.name || "factory-twin";
  find("clock").textContent = clock(state.tick.time);
  if (state.live) find("scrub").value = find("scrub").max;
  const tables = page.path !== "/floor";
  const wait = TABLES_MS - (performance.now() - shownMs);
  if (tables && !now && wait > 0) {
    late ??= setTimeout(() => show(true), wait);
    return;
  }
  clearTimeout(late);
  late = null;
  shownMs = performance.now();
  page.show(state);
}

function open(path) {
  page?.close?.();
  const makePage = PAGES[path] ?? floorPage;
  page = { path: PAGES[path] ? path : "/floor", ...makePage(find("page"), act, goTo) };
  for (const link of document.querySelectorAll("nav a")) {
    if (link.pathname === page.path) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${page.path.slice(1)} - factory-twin`;
  show(true);
}

function connection(words, kind) {
  const at = find("connection");
  if (at.textContent !== words) at.textContent = words;
  at.dataset.state = kind;
}

function connect() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/socket`);
  window.factoryTwin.socket = socket;
  socket.addEventListener("message", ({ data }) => receive(JSON.parse(data)));
  socket.addEventListener("open", () => {
    tries = 0;
    askSpan();
  });
  socket.addEventListener("close", ({ code }) => {
    if (code === 4401) {
      location.replace("/login");
      return;
    }
    connection("connection lost, trying again", "lost");
    setTimeout(connect, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
  });
}

function receive(message) {
  if (message.type === "hello") {
    state.hall = readHello(message);
    find("who").textContent = `${state.hall.user} (${state.hall.role})`;
    find("steer").hidden = state.hall.role === "viewer";
    find("policy-label").hidden = state.hall.policies.length === 0;
    const policy = find("policy");
    policy.replaceChildren(new Option("choose", ""), ...state.hall.policies.map((name) => new Option(name, name)));
  } else if (message.type === "tick") {
    window.factoryTwin.frames += 1;
    newest = readTick(message, state.hall);
    if (!newest) return;
    state.hall.latest = newest.time;
    connection(newest.running ? `live, ${newest.factor?.toFixed(2) ?? "?"} x real time` : "paused", newest.running ? "live" : "paused");
    const wanted = newest.running ? "Pause" : "Resume";
    if (find("pause").textContent !== wanted) find("pause").textContent = wanted;
    const scrub = find("scrub");
    if (state.span) {
      state.span.end_us = newest.time;
      state.span.start_us = Math.max(state.span.start_us, 0);
      scrub.min = (state.span.start_us / 1e6).toFixed(1);
      scrub.max = (newest.time / 1e6).toFixed(1);
      scrub.disabled = false;
    }
    if (state.live) {
      state.tick = newest;
      show();
    }
  } else if (message.type === "people") {
    state.poses = message.p.map(([x, y]) => [x / 100, y / 100]);
  } else if (message.type === "watch") {
    state.watch = message;
    const open = message.alarms.filter((a) => !a.acknowledged_by).length;
    find("alarm-count").hidden = open === 0;
    find("alarm-count").textContent = `${open}`;
    find("alarm-count").setAttribute("aria-label", `${open} alarms nobody has acknowledged`);
    show();
  }
}

async function askSpan() {
  try {
    const answer = await fetch("/api/history");
    if (!answer.ok) return;
    const span = await answer.json();
    state.span = span.start_us === null ? null : span;
  } catch {
    // the socket's own retry tells of it
  }
}
setInterval(askSpan, 5000);

let wantedUs = null;
let asking = false;

// Show the past: the frame at a time; while one is on its way only the latest wish is kept.
async function goTo(timeUs) {
  goLive(false);
  wantedUs = Math.max(0, Math.round(timeUs));
  find("scrub").value = (wantedUs / 1e6).toFixed(1);
  if (asking) return;
  asking = true;
  try {
    while (wantedUs !== null && !state.live) {
      const at = wantedUs;
      wantedUs = null;
      const answer = await fetch(`/api/frames?start_us=${at}`);
      const [frame] = answer.ok ? await answer.json() : [];
      const tick = frame && readTick(frame, state.hall);
      if (tick && !state.live) {
        state.tick = tick;
        show(true);
      }
    }
  } catch {
    tell("The past cannot be shown: the twin does not answer.");
  } finally {
    asking = false;
  }
}

function goLive(live) {
  state.live = live;
  find("live").setAttribute("aria-pressed", String(live));
  if (live && newest) {
    state.tick = newest;
    show(true);
  }
}

function jump(forward) {
  const at = state.tick?.time ?? 0;
  const starts = state.watch.outages.map((o) => o.start_us).filter((us) => state.span && us >= state.span.start_us).sort((a, b) => a - b);
  const to = forward ? starts.find((us) => us > at) : starts.findLast((us) => us < at - 150_000);
  if (to === undefined) tell(forward ? "No later outage." : "No earlier outage in the last minutes.");
  else goTo(to);
}

find("live").addEventListener("click", () => goLive(true));
find("scrub").addEventListener("input", (e) => goTo(1e6 * Number(e.target.value)));
find("next-outage").addEventListener("click", () => jump(true));
find("previous-outage").addEventListener("click", () => jump(false));
find("pause").addEventListener("click", () => act(newest?.running === false ? "resume" : "pause"));
find("speed").addEventListener("change", (e) => act("set_speed", { factor: Number(e.target.value) }));
find("policy").addEventListener("change", async (e) => {
  const name = e.target.value;
  if (name) await act("set_policy", { policy: name }, `Let the network be run by the policy ${name}?`);
  e.target.value = "";
});
find("logout").addEventListener("click", async () => {
  await post("/api/logout", {});
  location.replace("/login");
});
document.querySelector("nav").addEventListener("click", (e) => {
  const link = e.target.closest("a");
  if (!link || e.ctrlKey || e.metaKey || e.shiftKey) return;
  e.preventDefault();
  history.pushState(null, "", link.pathname);
  open(link.pathname);
  find("page").focus();
});
window.addEventListener("popstate", () => open(location.pathname));
open(location.pathname);
connect();
