// Time that can be wound: the last minutes of a live twin, or one or two finished runs on the same clock.
import { clock, duration, nines, readHello, readTick, share } from "./model.js";
import { Table, make } from "./pages.js";

const SHOW_MS = 100; // a run is recorded ten times a second; more pictures than that would show nothing new
const CHUNK = 50; // frames asked for at once: the most that the server sends
const HELD = 4000; // frames kept of a track
const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60];

// What was recorded of one hall. A frame belongs to the instant start + k * period.
class Track {
  constructor(url, card, hall, steps, peopleUrl = null) {
    Object.assign(this, { url, card, hall, steps, peopleUrl });
    this.forget();
  }

  forget() {
    this.ticks = new Map();
    this.poses = new Map();
    this.known = new Set();
    this.asked = new Set();
  }

  index(us) {
    const { start_us: first, end_us: last, period_us: period } = this.card;
    return Math.max(0, Math.floor((Math.min(us, last) - first) / period + 1e-6));
  }

  // The frame of an instant or the one before it; undefined while it is on its way.
  at(us, step) {
    const k = this.index(us);
    const wanted = k - (k % step);
    if (!this.known.has(wanted)) return undefined;
    for (let i = wanted; i >= Math.max(0, wanted - CHUNK * step); i -= 1) if (this.ticks.has(i)) return i;
    return null;
  }

  // Fetch what is missing from an instant on; resolves to whether anything came.
  async ask(us, step) {
    const k = this.index(us);
    const from = k - (k % step);
    const ahead = from + (CHUNK / 2) * step;
    const first = this.known.has(from) ? (this.known.has(ahead) || ahead * this.card.period_us + this.card.start_us > this.card.end_us ? null : ahead) : from;
    if (first === null || this.asked.has(first)) return false;
    if (this.ticks.size > HELD) this.forget();
    this.asked.add(first);
    const query = `start_us=${this.card.start_us + first * this.card.period_us}&count=${CHUNK}${this.steps ? `&step=${step}` : ""}`;
    try {
      const [frames, people] = await Promise.all([fetch(`${this.url}?${query}`), this.peopleUrl ? fetch(`${this.peopleUrl}?${query}`) : null]);
      if (!frames.ok) throw new Error(`${frames.status}`);
      const ticks = (await frames.json()).map((frame) => readTick(frame, this.hall)).filter((tick) => tick !== null);
      const poses = people?.ok ? await people.json() : [];
      ticks.forEach((tick, i) => {
        const at = this.index(tick.time);
        this.ticks.set(at, tick);
        if (poses[i]) this.poses.set(at, poses[i].p.map(([x, y]) => [x / 100, y / 100]));
      });
      // the newest instants of a live twin are not all there yet: they may be asked for again
      const last = ticks.length ? this.index(ticks.at(-1).time) : first;
      for (let i = first; i < first + CHUNK * step && (this.steps || i <= last); i += step) this.known.add(i);
      return true;
    } finally {
      this.asked.delete(first);
    }
  }
}

export class Player {
  // state: of the page. onShow(): told when state.tick has changed. onEnd(): told when there is no more to play.
  constructor(state, onShow, onEnd, onProblem) {
    Object.assign(this, { state, onShow, onEnd, onProblem });
    this.tracks = [];
    this.us = 0;
    this.speed = 1;
    this.playing = false;
    this.loop = null; // [from, to]: played over and over
    this.shown = -1;
    this.timer = null;
    this.listeners = [];
  }

  get span() {
    return { start_us: Math.min(...this.tracks.map((t) => t.card.start_us)), end_us: Math.max(...this.tracks.map((t) => t.card.end_us)) };
  }

  get step() {
    return this.tracks.every((t) => t.steps) ? Math.max(1, Math.round((this.speed * SHOW_MS * 1000) / this.tracks[0].card.period_us)) : 1;
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  changed() {
    for (const listener of this.listeners) listener(this);
  }

  seek(us) {
    const { start_us: first, end_us: last } = this.span;
    this.us = Math.max(first, Math.min(us, last));
    this.shown = -1;
    this.show();
  }

  play(on = true) {
    this.playing = on;
    if (on && !this.loop && this.us >= this.span.end_us) this.us = this.span.start_us;
    this.last = performance.now();
    if (on && this.timer === null) this.timer = setInterval(() => this.advance(), SHOW_MS / 2);
    if (!on && this.timer !== null) {
      clearInterval(this.timer);
      this.timer = null;
    }
    this.changed();
  }

  advance() {
    const now = performance.now();
    const passed = Math.min(now - this.last, 500); // a page that slept goes on where it stood
    this.last = now;
    let next = this.us + 1000 * passed * this.speed;
    if (this.loop && next > this.loop[1]) next = this.loop[0];
    const end = this.span.end_us;
    if (next >= end && !this.loop) {
      this.us = end;
      this.show();
      this.play(false);
      this.onEnd?.();
      return;
    }
    if (this.show(next)) this.us = next; // all tracks have it, so none runs ahead of the other
  }

  // Show an instant; false while a frame of it is still on its way.
  show(us = this.us) {
    const step = this.playing && !this.loop ? this.step : 1;
    const found = this.tracks.map((t) => t.at(us, step));
    for (const track of this.tracks) {
      track.ask(us, step).then((came) => came && this.shown === -1 && us === this.us && this.show(), () => this.onProblem?.());
    }
    if (found.includes(undefined)) return false;
    const key = found.join();
    if (key === this.shown) return true;
    this.shown = key;
    const [first, second] = this.tracks.map((t, i) => t.ticks.get(found[i]) ?? null);
    this.state.tick = first;
    if (this.tracks[0].peopleUrl) this.state.poses = this.tracks[0].poses.get(found[0]) ?? null;
    if (this.tracks[1]) this.state.other = { hall: this.tracks[1].hall, tick: second, card: this.tracks[1].card };
    this.onShow();
    return true;
  }
}

// A player of the last minutes of a live twin.
export function livePlayer(state, onShow, onEnd, onProblem) {
  const player = new Player(state, onShow, onEnd, onProblem);
  const card = { period_us: 100_000, get start_us() { return state.span?.start_us ?? 0; }, get end_us() { return state.span?.end_us ?? 0; } };
  // The past is counted from zero, for its beginning moves on.
  const track = new Track("/api/frames", { period_us: card.period_us, start_us: 0, get end_us() { return card.end_us; } }, state.hall, false);
  Object.defineProperty(track, "hall", { get: () => state.hall });
  player.tracks = [track];
  Object.defineProperty(player, "span", { get: () => ({ start_us: card.start_us, end_us: card.end_us }) });
  return player;
}

// A player of the finished runs that the server has; state gets runs, outages and the hall of the first.
export async function runPlayer(state, onShow, onEnd, onProblem) {
  const read = async (path) => {
    const answer = await fetch(path);
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  };
  const player = new Player(state, onShow, onEnd, onProblem);
  const cards = await read("/api/runs");
  state.runs = await Promise.all(cards.map(async (card, i) => ({ card, figures: await read(`/api/runs/${i}/figures`), outages: (await read(`/api/runs/${i}/outages`)).map((o) => ({ ...o, run: i })) })));
  player.tracks = await Promise.all(cards.map(async (card, i) => {
    const hall = readHello(await read(`/api/runs/${i}/hello`));
    return new Track(`/api/runs/${i}/frames`, card, hall, true, card.people && hall.role === "safety" ? `/api/runs/${i}/people` : null);
  }));
  state.hall = player.tracks[0].hall;
  state.hall.latest = player.span.end_us;
  state.outages = state.runs.flatMap((r) => r.outages).sort((a, b) => a.start_us - b.start_us);
  return player;
}

// The buttons of the time bar that play; the player may be exchanged.
export function playControls(bar, before, words) {
  const play = make("button", { type: "button", id: "play" }, words.play);
  const speed = make("select", { id: "play-speed" }, ...SPEEDS.map((x) => make("option", { value: x, selected: x === 1 }, `${x} x`)));
  const box = make("span", { id: "playing", class: "playing" }, play, make("label", {}, `${words.speed} `, speed));
  bar.insertBefore(box, before);
  let player = null;
  const tell = () => {
    play.textContent = player.playing ? words.hold : words.play;
    play.setAttribute("aria-pressed", String(player.playing));
    if (Number(speed.value) !== player.speed && SPEEDS.includes(player.speed)) speed.value = player.speed;
  };
  play.addEventListener("click", () => player?.play(!player.playing));
  speed.addEventListener("change", () => {
    player.speed = Number(speed.value);
    player.shown = -1;
  });
  return {
    box,
    use(next) {
      player = next;
      player.onChange(tell);
      tell();
    },
  };
}

// The outage before or after a time: [entry | undefined]. Losses that put no service down count only where none did.
export function neighbour(outages, us, forward) {
  const down = outages.filter((o) => o.down);
  const list = down.length ? down : outages;
  return forward ? list.find((o) => o.start_us > us) : list.findLast((o) => o.start_us < us - 150_000);
}

const lasted = (us) => (us < 1_000_000 ? `${Math.round(us / 1000)} ms` : duration(us / 1e6));
const number = (text) => ({ text, class: "number" });
const ratio = (value, digits) => (value === null || value === undefined ? "not known" : value.toFixed(digits));

// The services of finished runs: up to the moment that is shown, and over the whole run with its confidence interval.
export function runServicesPage(main) {
  const now = new Table("Services up to this moment", ["Run", "Service", "Now", "Nines", "Availability", "MTBF", "Messages lost"], "The run has no service.");
  const whole = new Table("Services over the whole run", ["Run", "Service", "Nines", "Availability", "95 % interval", "Outages", "Lost of messages", "Target"], "The run wrote no figures: it was broken off.");
  main.className = "";
  main.replaceChildren(
    make("h2", {}, "Services up to this moment"),
    make("p", { class: "note" }, "Counted from the start of the run to the time in the bar above, over all devices of a service. Nines are \u2212log10 of the unavailability."),
    now.element,
    make("h2", {}, "Over the whole run"),
    make("p", { class: "note" }, "As the run's report gives it: from the loss probability of every message, with its interval. Open means that the run is too short to tell."),
    whole.element,
  );
  return {
    show({ runs, tick, other }) {
      if (!runs || !tick) return;
      const ticks = [tick, other?.tick];
      now.show(runs.flatMap((run, i) => (ticks[i]?.services ?? []).map((s) => ({
        key: `${i}-${s.name}`,
        cells: [
          run.card.title,
          { text: s.name, class: "name" },
          s.up ? { text: "up", class: "good" } : { text: `down for ${duration((ticks[i].time - s.downSince) / 1e6)}`, class: "bad" },
          number(nines(s.availability)),
          number(ratio(s.availability, 7)),
          number(s.mtbf === null ? "no failure yet" : duration(s.mtbf)),
          number(share(s.lost)),
        ],
      }))));
      whole.show(runs.flatMap((run, i) => run.figures.map((f) => ({
        key: `${i}-${f.name}`,
        cells: [
          run.card.title,
          { text: f.name, class: "name" },
          number(nines(f.availability?.value ?? null)),
          number(ratio(f.availability?.value, 7)),
          f.availability ? `${ratio(f.availability.low, 6)} to ${ratio(f.availability.high, 6)}` : "not known",
          number(String(f.outages ?? "")),
          number(`${f.lost} of ${f.messages}`),
          f.targets?.availability == null ? "none" : f.met === null ? `open (${f.targets.availability})` : f.met ? { text: `met (${f.targets.availability})`, class: "good" } : { text: `missed (${f.targets.availability})`, class: "bad" },
        ],
      }))));
    },
  };
}

// The outages of finished runs, those that put a service down first in the choice, with their stories.
export function runOutagesPage(main, act, goTo, tellStory) {
  const table = new Table("Outages", ["Began", "Run", "Device", "Service", "Lasted", "Lost", "Cause", "Service down", "Replay"], "Nothing was lost in this run.");
  const all = make("input", { type: "checkbox", id: "all-losses" });
  let state = null;
  const pageSize = 200;
  let fromUs = null;
  const show = (now) => {
    state = now;
    if (fromUs === null || !player(now)) fromUs = now.tick?.time ?? 0; // rows stay where they are while time runs
    if (!now.runs || !now.outages) return;
    const down = now.outages.filter((o) => o.down);
    const listed = all.checked || down.length === 0 ? now.outages : down;
    // those at and after the moment that is shown come first
    const from = Math.max(0, Math.min(listed.findIndex((o) => o.end_us >= fromUs), listed.length - pageSize));
    note.textContent = `${down.length} of ${now.outages.length} put a service down. Shown are up to ${pageSize} from the time in the bar on.`;
    table.show(listed.slice(from, from + pageSize).map((o) => ({
      key: `${o.run}-${o.id}`,
      cells: [
        number(clock(o.start_us)),
        now.runs[o.run].card.title,
        { text: o.device, class: "name" },
        { text: o.service, class: "name" },
        number(lasted(o.end_us - o.start_us)),
        number(String(o.messages)),
        o.cause + (o.blocked_by ? ` (${o.blocked_by})` : ""),
        o.down ? { text: "yes", class: "bad" } : "no",
        { key: `${o.run}-${o.id}`, node: () => make("div", { class: "actions" }, make("button", { type: "button", onclick: () => goTo(o.start_us) }, "Show"), make("button", { type: "button", "data-story": `${o.run}-${o.id}`, onclick: () => tellStory(o) }, "Why?")) },
      ],
    })));
  };
  all.addEventListener("change", () => show(state));
  const player = (now) => now.playing?.();
  const note = make("p", { class: "note" });
  main.className = "";
  main.replaceChildren(make("h2", {}, "Outages"), note, make("p", {}, make("label", {}, all, " Also losses that the service survived")), table.element);
  return { show };
}
