// The floor in three dimensions: orbit it, stand where a TRP hangs and see what it sees, or enter it with a headset.
import { Headset } from "./headset.js";
import { decibel } from "./model.js";
import { make } from "./pages.js";
import { Renderer, add, cross, lookAt, perspective, sub, times, unit } from "./solid_gl.js";
import { buildHall, buildScene } from "./solid_scene.js";

const PICK_PX = 24;
const FOV = { orbit: 0.8, trp: 1.5 };
const [SLOW_MS, FAST_MS, LEAST_POINTS, MOST_POINTS, PACED_FRAMES, REST_MS] = [30, 20, 0.15, 2, 8, 400];
const FILLED = 0.9; // of the picture, by the hall

// A button that puts the 3D view over the floor's frame; floor gives layers and the picked device.
export function solidView(holder, floor) {
  const button = make("button", { type: "button", id: "view3d", "aria-pressed": "false" }, "3D");
  holder.querySelector(".zoom").append(button);
  let solid = null;
  let state = null;
  button.addEventListener("click", () => {
    if (solid) {
      solid.close();
      solid = null;
    } else solid = new Solid(holder, floor, () => state);
    button.setAttribute("aria-pressed", String(solid !== null));
    solid?.ask();
  });
  return {
    show(now) {
      state = now;
      solid?.ask();
    },
    close: () => solid?.close(),
  };
}

class Solid {
  constructor(holder, floor, read) {
    Object.assign(this, { floor, read });
    this.data = null;
    this.drawn = 0;
    this.points = 1; // share of the picture's points that are drawn
    this.from = "";
    this.canvas = make("canvas", { tabindex: "0", role: "img", id: "solid", "aria-label": "The hall in three dimensions. Arrow keys turn, plus and minus come nearer or go farther, 0 starts anew. The machines page lists the same." });
    this.labels = make("canvas", { class: "labels", "aria-hidden": "true" });
    this.seat = make("select", { id: "solid-from" }, make("option", { value: "" }, "above"));
    this.beams = make("input", { type: "checkbox", id: "solid-beams", checked: true });
    this.headset = make("button", { type: "button", id: "solid-headset", hidden: true }, "Enter with headset");
    this.note = make("p", { class: "solid-note", role: "status" });
    this.element = make("div", { class: "solid" }, this.canvas, this.labels,
      make("div", { class: "solid-bar" }, make("label", {}, "Seen from ", this.seat), make("label", {}, this.beams, " Beams"), this.headset), this.note);
    holder.append(this.element);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(holder);
    this.reset();
    floor.zoomBy = (factor) => this.zoom(factor); // the buttons beside serve what is seen
    floor.reset = () => this.reset();
    window.factoryTwinSolid = this; // for tests and for the curious
    try {
      this.renderer = new Renderer(this.canvas);
    } catch (error) {
      this.note.textContent = `There is no 3D view: ${error.message}.`;
      return;
    }
    this.listen();
    this.load();
  }

  async load() {
    try {
      const answer = await fetch("/api/solid");
      this.data = answer.ok ? await answer.json() : {};
    } catch {
      this.data = {}; // the socket tells of a lost connection; the hall alone can be drawn
    }
    this.xr = new Headset(this.renderer, () => this.scenes, () => this.stand());
    this.headset.hidden = !(await this.xr.supported());
    this.ask();
  }

  close() {
    this.closed = true;
    delete this.floor.zoomBy;
    delete this.floor.reset;
    this.xr?.end();
    this.observer.disconnect();
    clearTimeout(this.resting);
    this.element.remove();
    this.renderer?.close();
  }

  reset() {
    this.yaw = -2.2;
    this.pitch = 0.75;
    this.near = 1;
    this.turn = 0;
    this.tilt = 0;
    this.ask();
  }

  ask() {
    if (this.due || this.closed) return;
    this.due = true;
    requestAnimationFrame((now) => {
      this.due = false;
      if (this.closed) return;
      if (this.rested) this.size();
      this.rested = false;
      this.draw();
      requestAnimationFrame((next) => this.pace(next - now));
    });
  }

  // How many points the picture has; labels keep all.
  size() {
    const share = (this.ratio || 1) * Math.sqrt(this.points);
    [this.canvas.width, this.canvas.height] = [Math.round(this.width * share), Math.round(this.height * share)];
  }

  resize() {
    const box = this.element.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    [this.width, this.height, this.ratio] = [box.width, box.height, ratio];
    [this.labels.width, this.labels.height] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
    this.size();
    this.ask();
  }

  // Where the eye is and where it looks: {eye, target, up, fov}.
  stand() {
    const { hall } = this.read();
    const trp = hall.trps.find((t) => t.name === this.from);
    if (trp) {
      const panel = this.data?.trps?.find((t) => t.name === trp.name);
      const [b] = panel?.axes ?? [[Math.cos(trp.azimuth), Math.sin(trp.azimuth), 0]];
      const yaw = Math.atan2(b[1], b[0]) + this.turn;
      const pitch = Math.max(-1.5, Math.min(1.5, Math.asin(b[2]) + this.tilt));
      const eye = [trp.x, trp.y, trp.z];
      return { eye, target: add(eye, [Math.cos(yaw) * Math.cos(pitch), Math.sin(yaw) * Math.cos(pitch), Math.sin(pitch)]), fov: FOV.trp, trp, hall };
    }
    return { ...this.orbit(hall), fov: FOV.orbit, trp: null, hall };
  }

  // An eye that has the whole hall in the middle of its picture, and comes nearer from there.
  orbit(hall) {
    const { length, width, height } = hall.size;
    const way = [Math.cos(this.yaw) * Math.cos(this.pitch), Math.sin(this.yaw) * Math.cos(this.pitch), Math.sin(this.pitch)];
    const right = unit(cross([0, 0, 1], way));
    const up = cross(way, right);
    const half = [Math.tan(FOV.orbit / 2) * (this.width / this.height || 1), Math.tan(FOV.orbit / 2)];
    const corners = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => [i & 1 ? length : 0, i & 2 ? width : 0, i & 4 ? height : 0]);
    let target = [length / 2, width / 2, 0];
    let away = 1.3 * Math.max(length, width);
    for (let i = 0; i < 8; i += 1) { // perspective: nearer corners move more, so it takes a few rounds
      const eye = add(target, way, away);
      const seen = corners.map((corner) => {
        const to = sub(corner, eye);
        const depth = -(to[0] * way[0] + to[1] * way[1] + to[2] * way[2]);
        return [right, up].map((axis, k) => (to[0] * axis[0] + to[1] * axis[1] + to[2] * axis[2]) / Math.max(depth, 0.1) / half[k]);
      });
      const span = [0, 1].map((k) => [Math.min(...seen.map((p) => p[k])), Math.max(...seen.map((p) => p[k]))]);
      target = add(add(target, right, ((span[0][0] + span[0][1]) / 2) * half[0] * away * 0.8), up, ((span[1][0] + span[1][1]) / 2) * half[1] * away * 0.8);
      away *= Math.max(...span.map(([low, high]) => (high - low) / 2 / FILLED)) ** 0.8;
    }
    return { eye: add(target, way, away / this.near), target };
  }

  draw() {
    const { hall, tick, poses, live, runs } = this.read() ?? {};
    if (!this.renderer || !this.data || !hall || !tick || !this.width) return;
    const names = hall.trps.map((t) => t.name);
    if (this.seat.options.length !== names.length + 1) this.seat.replaceChildren(new Option("above", ""), ...names.map((n) => new Option(n, n)));
    const layers = { ...this.floor.layers, beams: this.beams.checked };
    // places of people come for the safety role alone, and of the past only where a run kept them
    this.build(hall, tick, live || runs ? poses : null, layers);
    const { eye, target, fov, trp } = this.stand();
    this.camera = times(perspective(fov, this.width / this.height), lookAt(eye, target));
    if (!this.xr?.session) {
      this.renderer.clear();
      this.renderer.draw(this.scenes, this.camera, [0, 0, this.canvas.width, this.canvas.height]);
    }
    this.drawLabels(hall, tick, layers, trp);
    const served = trp ? tick.links.filter((l) => l.trp?.name === trp.name) : [];
    const worst = served.filter((l) => l.margin !== null).sort((a, b) => a.margin - b.margin)[0];
    const text = trp ? `What ${trp.name} sees: it serves ${served.length} of ${tick.links.length}${worst ? `, least margin ${decibel(worst.margin)} (${worst.device})` : ""}.` : layers.zones && tick.people.some((n) => n > 0) ? "Violet: the more people in a zone, the darker." : "";
    if (this.note.textContent !== text) this.note.textContent = text;
    this.drawn += 1;
  }

  // Make the scenes anew where what they show has changed; turning the eye changes nothing.
  build(hall, tick, poses, layers) {
    const { data, from } = this;
    const { picked } = this.floor;
    const of = [hall, tick, poses, data, picked, from, JSON.stringify(layers)];
    if (this.built?.every((part, i) => part === of[i])) return;
    const still = this.built?.[0] === hall ? this.scenes[0] : buildHall(hall);
    this.built = of;
    this.scene = buildScene(hall, tick, poses, data, layers, picked, from);
    this.scenes = [still, this.scene];
  }

  // Without a graphics card, draw fewer points where a frame takes long, and more again, up to two for one, where there is time.
  // passed: from this frame to the next one that the browser offered [ms].
  pace(passed) {
    if (!this.renderer?.software || this.closed) return;
    clearTimeout(this.resting);
    this.frameMs = 0.8 * (this.frameMs ?? passed) + 0.2 * passed;
    this.paced = (this.paced ?? 0) + 1;
    const wanted = this.frameMs > SLOW_MS ? Math.max(LEAST_POINTS, this.points * 0.8) : this.frameMs < FAST_MS ? Math.min(MOST_POINTS, this.points * 1.1) : this.points;
    if (wanted !== this.points && this.paced >= PACED_FRAMES) {
      this.paced = 0;
      this.points = wanted;
      this.size();
      this.ask(); // a canvas of another size is empty
    } else if (this.points < MOST_POINTS) this.resting = setTimeout(() => this.rest(), REST_MS);
  }

  // Nothing has moved for a while: draw the picture once as well as can be.
  rest() {
    if (this.closed) return;
    const points = this.points;
    this.points = MOST_POINTS;
    this.size();
    this.draw();
    this.points = points;
    this.rested = true;
  }

  // A place of the hall on the canvas [px], null where it is behind the eye.
  at([x, y, z]) {
    const c = this.camera;
    const [cx, cy, , w] = [0, 1, 2, 3].map((r) => c[r] * x + c[4 + r] * y + c[8 + r] * z + c[12 + r]);
    return w <= 0.05 ? null : [(0.5 + cx / w / 2) * this.width, (0.5 - cy / w / 2) * this.height];
  }

  drawLabels(hall, tick, layers, from) {
    const c = this.labels.getContext("2d");
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    c.clearRect(0, 0, this.width, this.height);
    const taken = [];
    const text = (words, place, colour) => {
      const at = this.at(place);
      if (!at || at[0] < 0 || at[1] < 0 || at[0] > this.width || at[1] > this.height) return;
      const half = 3.5 * words.length;
      if (taken.some(([x, y, h]) => Math.abs(x - at[0]) < h + half && Math.abs(y - at[1]) < 14)) return; // the nearer one was there
      taken.push([at[0], at[1], half]);
      this.floor.text.call(this.floor, c, words, at[0], at[1], colour, "center");
    };
    const margins = new Map(from ? tick.links.filter((l) => l.trp?.name === from.name).map((l) => [l.device, l.margin]) : []);
    const { eye } = this.stand();
    const near = (m) => (m.id === this.floor.picked ? 0 : Math.hypot(m.x - eye[0], m.y - eye[1]));
    for (const m of [...tick.machines].sort((a, b) => near(a) - near(b))) {
      if (margins.has(m.id)) text(`${m.id} ${decibel(margins.get(m.id))}`, [m.x, m.y, 1.9], "#14304a");
      else if (layers.names || m.id === this.floor.picked || m.stopped) text(m.id, [m.x, m.y, 1.9], m.stopped ? "#7f3b08" : "#14304a");
    }
    for (const trp of hall.trps) if (trp !== from) text(trp.name, [trp.x, trp.y, trp.z + 0.8], "#111111");
    if (layers.zones) {
      hall.zones.forEach((z, i) => {
        const count = tick.people[i] ?? null;
        if (count) text(`${z.name}: ${count}`, [(z.x0 + z.x1) / 2, (z.y0 + z.y1) / 2, 0], "#4b555d");
      });
    }
  }

  // Pick the machine at or nearest to a point [px], as a click on the floor does.
  pick(x, y) {
    const away = (m) => {
      const at = this.at([m.x, m.y, 0.6]);
      return at ? Math.hypot(at[0] - x, at[1] - y) : Infinity;
    };
    const near = (this.read()?.tick?.machines ?? []).map((m) => [away(m), m.id]).filter(([d]) => d < PICK_PX).sort((a, b) => a[0] - b[0]);
    this.floor.pick(near[0]?.[1] ?? null);
    this.ask();
  }

  move(dx, dy) {
    if (this.from) {
      this.turn += dx * 0.004;
      this.tilt += dy * 0.004;
    } else {
      this.yaw -= dx * 0.006;
      this.pitch = Math.max(0.05, Math.min(1.5, this.pitch + dy * 0.006));
    }
    this.ask();
  }

  zoom(factor) {
    this.near = Math.max(0.4, Math.min(8, this.near * factor));
    this.ask();
  }

  listen() {
    const canvas = this.canvas;
    let moved = 0;
    canvas.addEventListener("pointerdown", (e) => {
      canvas.setPointerCapture(e.pointerId);
      moved = 0;
    });
    canvas.addEventListener("pointermove", (e) => {
      if (!e.buttons) return;
      moved += Math.abs(e.movementX) + Math.abs(e.movementY);
      this.move(e.movementX, e.movementY);
    });
    canvas.addEventListener("pointerup", (e) => moved < 5 && this.pick(e.offsetX, e.offsetY));
    canvas.addEventListener("wheel", (e) => {
      e.preventDefault();
      this.zoom(Math.exp(-e.deltaY * 0.0015));
    }, { passive: false });
    canvas.addEventListener("keydown", (e) => {
      const keys = { ArrowLeft: () => this.move(30, 0), ArrowRight: () => this.move(-30, 0), ArrowUp: () => this.move(0, 30), ArrowDown: () => this.move(0, -30), "+": () => this.zoom(1.25), "-": () => this.zoom(0.8), 0: () => this.reset() };
      if (!keys[e.key]) return;
      e.preventDefault();
      keys[e.key]();
    });
    this.seat.addEventListener("change", () => {
      this.from = this.seat.value;
      this.turn = this.tilt = 0;
      this.ask();
    });
    this.beams.addEventListener("change", () => this.ask());
    this.headset.addEventListener("click", async () => {
      try {
        await this.xr.start(() => {
          this.headset.textContent = "Enter with headset";
          this.ask();
        });
        this.headset.textContent = "Leave the headset";
      } catch (error) {
        this.note.textContent = `The headset cannot be entered: ${error.message}.`;
      }
    });
  }
}
