// The frame of the page: socket, time, pages, actions.
import { clock, readHello, readTick } from "./model.js";
import { closeStory, openStory } from "./story.js";
import { livePlayer, neighbour, playControls, runOutagesPage, runPlayer, runServicesPage } from "./time.js";
import { floorPage, machinesPage, outagesPage, servicesPage } from "./pages.js";
import { mapPage } from "./radio_map.js";
import { applySettings, calm, settingsPage } from "./settings.js";
import { whatIfPage } from "./whatif.js";

const find = (id) => document.getElementById(id);
const PAGES = { "/floor": floorPage, "/services": servicesPage, "/outages": outagesPage, "/machines": machinesPage, "/whatif": whatIfPage, "/map": mapPage, "/settings": settingsPage };
const DRAWN = new Set(["/floor", "/whatif", "/map"]); // pages with a floor are drawn at every message
const RUN_PAGES = { "/services": runServicesPage, "/outages": runOutagesPage };
const TABLES_MS = 500; // tables are read by people: twice a second is enough
const CALM_MS = 2000;
const BEHIND = 0.9; // of the speed that was asked for: slower than this is told
const TOLD_MS = 15_000; // long enough to read; what was done is in the audit log
const RETRY_MS = [500, 1000, 2000, 5000];

const state = { hall: null, tick: null, poses: null, watch: { outages: [], alarms: [] }, advice: null, live: true, span: null, runs: null, outages: null, other: null, story: null };
window.factoryTwin = { state, frames: 0 }; // for tests and for the curious
let newest = null;
let page = null;
let tries = 0;
let shownMs = 0;
let late = null;

let toldTimer = null;
function tell(text) {
  find("told").textContent = text;
  clearTimeout(toldTimer);
  toldTimer = setTimeout(() => (find("told").textContent = ""), TOLD_MS);
}

// Let a list of the bar show what is so now, unless somebody is choosing from it.
function present(select, value, words) {
  if (document.activeElement === select || value === null || select.value === String(value)) return;
  if (![...select.options].some((o) => o.value === String(value))) select.append(new Option(words, value));
  select.value = value;
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
    const [ok, answer] = name === "acknowledge" ? await post(details.number ? `/api/alarms/${details.number}/acknowledge` : "/api/alarms/acknowledge", {}) : await post("/api/commands", { name, ...details });
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
  else if (document.activeElement !== find("scrub") || player?.playing) find("scrub").value = ((player?.playing ? state.tick.time : (player?.us ?? state.tick.time)) / 1e6).toFixed(1);
  const tables = !DRAWN.has(page.path);
  const wait = (calm() ? CALM_MS : TABLES_MS) - (performance.now() - shownMs);
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
  const makePage = (state.runs && RUN_PAGES[path]) || (PAGES[path] ?? floorPage);
  page = { path: PAGES[path] ? path : "/floor", ...makePage(find("page"), act, goTo, tellStory, endStory) };
  for (const link of document.querySelectorAll("nav a")) {
    if (link.pathname === page.path) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${{ "/whatif": "what if", "/map": "radio map", "/outages": "alarms and outages" }[page.path] ?? page.path.slice(1)} - factory-twin`;
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
    if (state.hall.runs > 0) startRuns();
    find("who").textContent = `${state.hall.user} (${state.hall.role})`;
    find("steer").hidden = state.hall.role === "viewer" || state.hall.runs > 0;
    find("policy-label").hidden = state.hall.policies.length === 0;
    const policy = find("policy");
    policy.replaceChildren(new Option("not known", ""), ...state.hall.policies.map((name) => new Option(name, name)));
  } else if (state.hall?.runs > 0) {
    return; // finished runs come by their own addresses
  } else if (message.type === "tick") {
    window.factoryTwin.frames += 1;
    newest = readTick(message, state.hall);
    if (!newest) return;
    state.hall.latest = newest.time;
    const behind = newest.speed !== null && newest.factor !== null && newest.factor < BEHIND * newest.speed;
    const pace = `${newest.factor?.toFixed(2) ?? "?"} x real time`;
    connection(newest.running ? `${behind ? "too slow" : "live"}, ${pace}` : "paused", newest.running ? "live" : "paused");
    find("connection").title = behind ? `This computer does not keep up with the ${newest.speed} x that was asked for.` : "";
    present(find("policy"), newest.policy, newest.policy);
    present(find("speed"), newest.speed, `${newest.speed} x`);
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
  } else if (message.type === "advice") {
    state.advice = message.a;
    show();
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
setInterval(() => state.hall?.runs === 0 && askSpan(), 5000);

let player = null;
const controls = playControls(find("time"), find("previous-outage"), { play: "Play", hold: "Hold", speed: "Replay" });
controls.box.hidden = true;

function usePlayer(next) {
  player = next;
  window.factoryTwin.player = next;
  controls.use(next);
}

function replayed() {
  window.factoryTwin.frames += 1;
  show();
}

// A page of finished runs: everything comes from them, nothing is live.
async function startRuns() {
  if (state.runs) return;
  try {
    usePlayer(await runPlayer(state, replayed, () => tell("The end of the run."), () => tell("The run cannot be read: the page's server does not answer.")));
  } catch (error) {
    tell(`The run cannot be shown: ${error.message}.`);
    return;
  }
  state.live = false;
  state.playing = () => player.playing;
  find("live").hidden = true;
  controls.box.hidden = false;
  const scrub = find("scrub");
  [scrub.min, scrub.max, scrub.disabled] = [(player.span.start_us / 1e6).toFixed(1), (player.span.end_us / 1e6).toFixed(1), false];
  connection(state.runs.map(({ card }) => `${card.title}${card.policy ? ` (${card.policy})` : ""}${card.state === "finished" ? "" : ", broken off"}`).join(" | "), "run");
  open(location.pathname);
  player.seek(player.span.start_us);
  player.play(true);
}

// Show the past.
function goTo(timeUs) {
  if (!state.runs) {
    goLive(false);
    if (!player) usePlayer(livePlayer(state, replayed, () => goLive(true), () => tell("The past cannot be shown: the twin does not answer.")));
  }
  if (player.loop) endStory();
  player.play(false);
  player.seek(Math.max(0, Math.round(timeUs)));
}

async function tellStory(outage) {
  if (!player) goTo(outage.start_us);
  goLive(false);
  if (!(await openStory(outage, state, player, tell))) return;
  if (page.path !== "/floor") {
    history.pushState(null, "", "/floor");
    open("/floor");
  }
  show(true);
}

function endStory() {
  closeStory(state, player);
  player?.play(false);
  show(true);
}

function goLive(live) {
  if (state.runs) return;
  state.live = live;
  controls.box.hidden = live;
  if (live && player?.playing) player.play(false);
  if (live) closeStory(state, player);
  find("live").setAttribute("aria-pressed", String(live));
  if (live && newest) {
    state.tick = newest;
    show(true);
  }
}

function jump(forward) {
  const at = state.tick?.time ?? 0;
  if (state.runs) {
    const next = neighbour(state.outages, player.us, forward);
    if (!next) tell(forward ? "No later outage." : "No earlier outage.");
    else {
      goTo(next.start_us);
      tell(`${clock(next.start_us)} ${next.device} lost ${next.messages} of ${next.service}: ${next.cause}.`);
    }
    return;
  }
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
find("speed").addEventListener("change", (e) => {
  e.target.blur();
  act("set_speed", { factor: Number(e.target.value) });
});
find("policy").addEventListener("change", async (e) => {
  const name = e.target.value;
  e.target.blur();
  if (name && !(await act("set_policy", { policy: name }, `Let the network be run by the policy ${name}?`))) e.target.value = newest?.policy ?? "";
});
find("undo").addEventListener("click", () => act("undo", {}, "Undo the last action: policy, TRP, stop or release of an AGV?"));
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
applySettings();
open(location.pathname);
connect();
