// The floor from above: one canvas, drawn once per message and once per movement of pan or zoom.
import { decibel, words } from "./model.js";

// Blue for plenty of margin, orange for too little: told apart with every common colour blindness; too little is dashed as well.
export const MARGINS = [
  [-Infinity, "#b35806"],
  [0, "#e08214"],
  [3, "#8a8f98"],
  [10, "#5aa3cf"],
  [20, "#2166ac"],
];
export const LAYERS = [
  ["zones", "Zones and people counts"],
  ["links", "Links"],
  ["blocked", "Who is in the way"],
  ["risk", "Risk of 10 % and more"],
  ["names", "Names"],
  ["people", "People"],
];
const MARGIN_PX = 24;
const BAR_PX = 46; // above and below the hall: room for the buttons and for the scale
const TEXT_PX = 6.7; // of a letter, about: what a label needs is guessed, not measured, for measuring costs more
const PICK_PX = 14;
const RISK_SHOWN = 0.1;

export function marginColour(margin) {
  if (margin === null) return "#7a0177";
  let colour = MARGINS[0][1];
  for (const [from, c] of MARGINS) if (margin >= from) colour = c;
  return colour;
}

export class Floor {
  // canvas: where to draw. onPick(device | null): told of a click or of Enter on a device.
  constructor(canvas, onPick) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.layers = Object.fromEntries(LAYERS.map(([name]) => [name, name !== "names"]));
    this.onPick = onPick;
    this.picked = null;
    this.hover = null;
    this.hall = null;
    this.tick = null;
    this.poses = null;
    this.zoom = 1;
    this.offset = { x: 0, y: 0 };
    this.due = false;
    this.drawn = 0;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(canvas.parentElement);
    this.listen();
    this.resize();
  }

  close() {
    this.observer.disconnect();
  }

  show(hall, tick, poses) {
    this.hall = hall;
    this.tick = tick;
    this.poses = poses;
    this.ask();
  }

  ask() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.draw();
    });
  }

  resize() {
    const box = this.canvas.parentElement.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    this.width = box.width;
    this.height = box.height;
    this.canvas.width = Math.round(box.width * ratio);
    this.canvas.height = Math.round(box.height * ratio);
    this.ratio = ratio;
    this.ask();
  }

  get scale() {
    const { length, width } = this.hall.size;
    const fit = Math.min((this.width - 2 * MARGIN_PX) / length, (this.height - 2 * BAR_PX) / width);
    return Math.max(fit, 0.1) * this.zoom;
  }

  // Hall [m], y to the north, to the canvas [px].
  at(x, y) {
    const s = this.scale;
    const { length, width } = this.hall.size;
    return [this.width / 2 + this.offset.x + (x - length / 2) * s, this.height / 2 + this.offset.y - (y - width / 2) * s];
  }

  place(device) {
    const machine = this.tick.machines.find((m) => m.id === device);
    return machine ? this.at(machine.x, machine.y) : null;
  }

  draw() {
    const c = this.context;
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    c.clearRect(0, 0, this.width, this.height);
    if (!this.hall || !this.tick) return;
    this.byId = new Map(this.tick.machines.map((m) => [m.id, m]));
    this.taken = []; // boxes of labels: who comes first has the place
    for (const trp of this.hall.trps) {
      const [x, y] = this.at(trp.x, trp.y);
      this.free(x, y - 17, trp.name, "center");
    }
    if (this.layers.names) this.claimMachines();
    this.drawHall(c);
    this.under?.(c); // a map of the floor, where there is one
    if (this.layers.zones) this.drawZones(c);
    if (this.layers.links) this.drawLinks(c);
    if (this.layers.people && this.poses) this.drawPeople(c);
    this.drawTrps(c);
    for (const machine of this.tick.machines) this.drawMachine(c, machine);
    if (this.layers.blocked) this.drawBlocked(c);
    if (this.layers.risk) this.drawRisk(c);
    this.drawScale(c);
    this.drawn += 1;
  }

  drawHall(c) {
    const [x0, y1] = this.at(0, 0);
    const [x1, y0] = this.at(this.hall.size.length, this.hall.size.width);
    c.fillStyle = "#ffffff";
    c.fillRect(x0, y0, x1 - x0, y1 - y0);
    c.strokeStyle = "#33424f";
    c.lineWidth = 2;
    c.setLineDash([]);
    c.strokeRect(x0, y0, x1 - x0, y1 - y0);
    for (const box of this.hall.boxes) {
      this.turned(c, box.x, box.y, box.yaw, (s) => {
        c.fillStyle = box.kind === "rack" ? "#d8cdbd" : "#c5ced6";
        c.strokeStyle = "#8a949c";
        c.lineWidth = 1;
        c.fillRect((-box.l * s) / 2, (-box.w * s) / 2, box.l * s, box.w * s);
        c.strokeRect((-box.l * s) / 2, (-box.w * s) / 2, box.l * s, box.w * s);
      });
      if (this.layers.names) {
        const [x, y] = this.at(box.x, box.y);
        if (this.free(x, y, box.name, "center")) this.text(c, box.name, x, y, "#4b555d", "center");
      }
    }
  }

  turned(c, x, y, angle, paint) {
    const [px, py] = this.at(x, y);
    c.save();
    c.translate(px, py);
    c.rotate(-angle);
    paint(this.scale);
    c.restore();
  }

  text(c, words, x, y, colour, align) {
    c.font = "12px system-ui, sans-serif";
    c.textAlign = align;
    c.textBaseline = "middle";
    c.lineWidth = 3;
    c.setLineDash([]);
    c.strokeStyle = "rgba(255,255,255,0.85)";
    c.strokeText(words, x, y);
    c.fillStyle = colour;
    c.fillText(words, x, y);
  }

  // Whether a label has its place to itself; from then on the place is taken.
  free(x, y, words, align, claim = true) {
    const wide = words.length * TEXT_PX;
    const x0 = align === "left" ? x : align === "right" ? x - wide : x - wide / 2;
    const box = [x0, y - 7, x0 + wide, y + 7];
    if (this.taken.some((t) => t[0] < box[2] && box[0] < t[2] && t[1] < box[3] && box[1] < t[3])) return false;
    if (claim) this.taken.push(box);
    return true;
  }

  // The places beside machines belong to their names before those of zones and boxes.
  claimMachines() {
    this.named = new Map();
    const first = (m) => (m.id === this.picked ? 0 : m.stopped ? 1 : 2);
    for (const m of [...this.tick.machines].sort((a, b) => first(a) - first(b))) {
      const [x, y] = this.at(m.x, m.y);
      if (x < 0 || y < 0 || x > this.width || y > this.height) continue;
      const words = this.nameOf(m);
      const places = [[x + 14, y - 12, "left"], [x + 14, y + 13, "left"], [x - 14, y - 12, "right"], [x - 14, y + 13, "right"]];
      const fits = ([px, py, align]) => (align === "left" ? px + words.length * TEXT_PX < this.width : px - words.length * TEXT_PX > 0) && this.free(px, py, words, align);
      const place = places.find(fits);
      if (place) this.named.set(m.id, place);
    }
  }

  nameOf(machine) {
    return machine.stopped ? `${machine.id}: ${words(machine.mode)}` : machine.id;
  }

  drawZones(c) {
    this.hall.zones.forEach((zone, i) => {
      const [x0, y1] = this.at(zone.x0, zone.y0);
      const [x1, y0] = this.at(zone.x1, zone.y1);
      c.strokeStyle = "#9aa7b1";
      c.lineWidth = 1;
      c.setLineDash([2, 4]);
      c.strokeRect(x0, y0, x1 - x0, y1 - y0);
      const count = this.tick.people[i] ?? null; // a recorded run may not have counted
      const label = count === null ? zone.name : `${zone.name}: ${count}`;
      // a zone that is too narrow for its words has them below one another; between racks they stand amid the aisle
      const most = Math.floor((x1 - x0 - 8) / TEXT_PX);
      const lines = label.split(" ").reduce((done, word) => (done.length && done.at(-1).length + word.length < most ? [...done.slice(0, -1), `${done.at(-1)} ${word}`] : [...done, word]), []);
      const top = y1 - y0 < 90 ? (y0 + y1) / 2 - 7 * (lines.length - 1) : y0 + 11;
      if (Math.max(...lines.map((l) => l.length)) * TEXT_PX > x1 - x0 + 24 || !lines.every((l, k) => this.free(x0 + 5, top + 14 * k, l, "left", false))) return;
      lines.forEach((l, k) => this.free(x0 + 5, top + 14 * k, l, "left") && this.text(c, l, x0 + 5, top + 14 * k, count > 0 ? "#1c2a35" : "#5d6871", "left"));
    });
    c.setLineDash([]);
  }

  drawLinks(c) {
    for (const link of this.tick.links) {
      const machine = this.byId.get(link.device);
      if (!machine || !link.trp) continue;
      const [x0, y0] = this.at(machine.x, machine.y);
      const [x1, y1] = this.at(link.trp.x, link.trp.y);
      const short = link.margin === null || link.margin < 0;
      c.strokeStyle = marginColour(link.margin);
      c.lineWidth = link.device === this.picked ? 4 : short ? 2.5 : 1.4;
      c.setLineDash(short ? [7, 5] : []);
      c.beginPath();
      c.moveTo(x0, y0);
      c.lineTo(x1, y1);
      c.stroke();
    }
    c.setLineDash([]);
  }

  drawPeople(c) {
    c.fillStyle = "#5e3c99";
    for (const [x, y] of this.poses) {
      const [px, py] = this.at(x, y);
      c.beginPath();
      c.arc(px, py, Math.max(3, 0.3 * this.scale), 0, 2 * Math.PI);
      c.fill();
    }
  }

  drawMachine(c, machine) {
    const agv = machine.kind === "agv";
    const length = agv ? this.hall.agv.length : 0.6;
    const width = agv ? this.hall.agv.width : 0.6;
    this.turned(c, machine.x, machine.y, machine.heading, (scale) => {
      const s = Math.max(scale, 9 / width); // never smaller than a finger can see
      c.fillStyle = machine.stopped ? "#ffffff" : agv ? "#14304a" : "#3f6e58";
      c.strokeStyle = machine.stopped ? "#b35806" : "#0b1a28";
      c.lineWidth = machine.stopped ? 2.5 : 1;
      c.beginPath();
      if (agv) {
        c.moveTo((-length * s) / 2, (-width * s) / 2);
        c.lineTo(length * s * 0.25, (-width * s) / 2);
        c.lineTo((length * s) / 2, 0);
        c.lineTo(length * s * 0.25, (width * s) / 2);
        c.lineTo((-length * s) / 2, (width * s) / 2);
        c.closePath();
      } else {
        c.arc(0, 0, (width * s) / 2, 0, 2 * Math.PI);
        c.moveTo(0, 0);
        c.lineTo(width * s, 0);
      }
      c.fill();
      c.stroke();
      if (machine.loaded) {
        c.fillStyle = "#f2a35e";
        c.fillRect(-length * s * 0.35, -width * s * 0.3, length * s * 0.45, width * s * 0.6);
      }
    });
    const [x, y] = this.at(machine.x, machine.y);
    if (machine.id === this.picked || machine.id === this.hover) {
      c.strokeStyle = "#14304a";
      c.lineWidth = 2;
      c.beginPath();
      c.arc(x, y, Math.max(14, this.scale), 0, 2 * Math.PI);
      c.stroke();
    }
    const chosen = machine.id === this.picked || machine.id === this.hover;
    const wide = this.nameOf(machine).length * TEXT_PX;
    const place = (this.layers.names && this.named.get(machine.id)) || (chosen && (x + 16 + wide < this.width ? [x + 16, y - 12, "left"] : [x - 16, y - 12, "right"]));
    if (place) this.text(c, this.nameOf(machine), place[0], place[1], "#14304a", place[2]);
  }

  drawTrps(c) {
    for (const trp of this.hall.trps) {
      const [x, y] = this.at(trp.x, trp.y);
      c.fillStyle = "#111111";
      c.beginPath();
      c.moveTo(x, y - 8);
      c.lineTo(x + 7, y + 5);
      c.lineTo(x - 7, y + 5);
      c.closePath();
      c.fill();
      const half = (trp.name.length * TEXT_PX) / 2; // above the sign: links run to its sides
      this.text(c, trp.name, Math.min(Math.max(x, half + 4), this.width - half - 4), y - 17, "#111111", "center");
    }
  }

  drawBlocked(c) {
    for (const link of this.tick.links) {
      const machine = this.byId.get(link.device);
      if (!link.blockedBy || !machine || !link.trp) continue;
      const [x0, y0] = this.at(machine.x, machine.y);
      const [x1, y1] = this.at(link.trp.x, link.trp.y);
      const away = Math.hypot(x1 - x0, y1 - y0) || 1;
      const share = Math.min(0.5, 26 / away); // beside the device: the view does not say where on the link the body stands
      const [x, y] = [x0 + (x1 - x0) * share, y0 + (y1 - y0) * share];
      c.fillStyle = "#ffffff";
      c.strokeStyle = "#b35806";
      c.lineWidth = 2;
      c.beginPath();
      c.arc(x, y, 8, 0, 2 * Math.PI);
      c.fill();
      c.stroke();
      c.fillStyle = "#7f3b08";
      c.font = "bold 11px system-ui, sans-serif";
      c.textAlign = "center";
      c.textBaseline = "middle";
      c.fillText(link.blockedBy === "person" ? "P" : "M", x, y + 0.5);
    }
  }

  // Around a device whose link is likely to fall short: a dotted ring that grows with the risk, and its number.
  drawRisk(c) {
    for (const link of this.tick.links) {
      const machine = this.byId.get(link.device);
      if (!machine || link.risk === null || link.risk < RISK_SHOWN) continue;
      const [x, y] = this.at(machine.x, machine.y);
      const radius = 12 + 12 * link.risk;
      c.strokeStyle = "#7f3b08";
      c.lineWidth = 2;
      c.setLineDash([2, 4]);
      c.beginPath();
      c.arc(x, y, radius, 0, 2 * Math.PI);
      c.stroke();
      c.setLineDash([]);
      this.text(c, `${Math.round(100 * link.risk)} %`, x, y + radius + 9, "#7f3b08", "center");
    }
  }

  drawScale(c) {
    const metres = [1, 2, 5, 10, 20, 50].find((m) => m * this.scale > 60) ?? 50;
    const y = this.height - 10;
    c.strokeStyle = "#33424f";
    c.lineWidth = 2;
    c.beginPath();
    c.moveTo(12, y);
    c.lineTo(12 + metres * this.scale, y);
    c.stroke();
    this.text(c, `${metres} m`, 18 + metres * this.scale, y, "#33424f", "left");
  }

  // The device at or nearest to a point: machines first, then links.
  find(px, py) {
    if (!this.tick) return null;
    let best = null;
    let least = PICK_PX;
    for (const m of this.tick.machines) {
      const [x, y] = this.at(m.x, m.y);
      const d = Math.hypot(px - x, py - y);
      if (d < least) [best, least] = [m.id, d];
    }
    if (best || !this.layers.links) return best;
    least = 6;
    for (const link of this.tick.links) {
      const end = this.place(link.device);
      if (!end || !link.trp) continue;
      const [x0, y0] = end;
      const [x1, y1] = this.at(link.trp.x, link.trp.y);
      const length = (x1 - x0) ** 2 + (y1 - y0) ** 2 || 1;
      const along = Math.max(0, Math.min(1, ((px - x0) * (x1 - x0) + (py - y0) * (y1 - y0)) / length));
      const d = Math.hypot(px - x0 - along * (x1 - x0), py - y0 - along * (y1 - y0));
      if (d < least) [best, least] = [link.device, d];
    }
    return best;
  }

  pick(device) {
    this.picked = device;
    this.onPick(device);
    this.ask();
  }

  zoomBy(factor, px = this.width / 2, py = this.height / 2) {
    const zoom = Math.max(0.5, Math.min(12, this.zoom * factor));
    const real = zoom / this.zoom;
    this.offset.x = px - this.width / 2 - (px - this.width / 2 - this.offset.x) * real;
    this.offset.y = py - this.height / 2 - (py - this.height / 2 - this.offset.y) * real;
    this.zoom = zoom;
    this.ask();
  }

  reset() {
    this.zoom = 1;
    this.offset = { x: 0, y: 0 };
    this.ask();
  }

  listen() {
    const canvas = this.canvas;
    const fingers = new Map();
    let moved = 0;
    canvas.addEventListener("wheel", (e) => {
      e.preventDefault();
      this.zoomBy(Math.exp(-e.deltaY * 0.0015), e.offsetX, e.offsetY);
    }, { passive: false });
    canvas.addEventListener("pointerdown", (e) => {
      canvas.setPointerCapture(e.pointerId);
      fingers.set(e.pointerId, { x: e.offsetX, y: e.offsetY });
      moved = 0;
    });
    canvas.addEventListener("pointermove", (e) => {
      const before = fingers.get(e.pointerId);
      if (!before) {
        const hover = this.hall && this.find(e.offsetX, e.offsetY);
        if (hover !== this.hover) {
          this.hover = hover;
          canvas.title = hover ? this.describe(hover) : "";
          this.ask();
        }
        return;
      }
      const now = { x: e.offsetX, y: e.offsetY };
      moved += Math.hypot(now.x - before.x, now.y - before.y);
      if (fingers.size === 1) {
        this.offset.x += now.x - before.x;
        this.offset.y += now.y - before.y;
      } else {
        const other = [...fingers].find(([id]) => id !== e.pointerId)[1];
        const was = Math.hypot(before.x - other.x, before.y - other.y) || 1;
        this.zoomBy(Math.hypot(now.x - other.x, now.y - other.y) / was, other.x, other.y);
      }
      fingers.set(e.pointerId, now);
      this.ask();
    });
    const lift = (e) => {
      if (fingers.delete(e.pointerId) && moved < 5 && this.hall) this.pick(this.find(e.offsetX, e.offsetY));
    };
    canvas.addEventListener("pointerup", lift);
    canvas.addEventListener("pointercancel", (e) => fingers.delete(e.pointerId));
    canvas.addEventListener("keydown", (e) => {
      const step = 40;
      const keys = {
        ArrowLeft: () => (this.offset.x += step),
        ArrowRight: () => (this.offset.x -= step),
        ArrowUp: () => (this.offset.y += step),
        ArrowDown: () => (this.offset.y -= step),
        "+": () => this.zoomBy(1.25),
        "-": () => this.zoomBy(0.8),
        0: () => this.reset(),
        Escape: () => this.pick(null),
      };
      if (!keys[e.key]) return;
      e.preventDefault();
      keys[e.key]();
      this.ask();
    });
  }

  describe(device) {
    const machine = this.byId?.get(device);
    const link = this.tick.links.find((l) => l.device === device);
    const state = machine ? `${words(machine.mode)}, ${machine.speed.toFixed(1)} m/s` : "";
    return `${device}: ${state}${link ? `; margin ${decibel(link.margin)}` : ""}`;
  }
}
