// The twin as the page knows it: messages of the socket turned into plain objects. The keys are those of bridges/page/messages.py.

export const UNITS = { m: 0.01, rad: 0.001, db: 0.1 };

// How far ahead the risks of a link look [s], in the order of the message.
export const AHEAD_S = [0.5, 1, 2];

// Machines whose mode means that they stand where they should move.
export const STOPPED = new Set(["communication", "person_near", "paused", "breakdown", "emergency_stop", "protective_stop"]);

export function readHello(message) {
  const [length, width, height] = message.scene.size_m;
  return {
    name: message.name,
    user: message.user,
    role: message.role,
    runs: message.runs ?? 0,
    size: { length, width, height },
    boxes: message.scene.boxes.map(([name, kind, x, y, l, w, h, yaw]) => ({ name, kind, x, y, l, w, h, yaw })),
    zones: message.scene.zones.map(([name, x0, x1, y0, y1]) => ({ name, x0, x1, y0, y1 })),
    trps: message.scene.trps.map(([name, x, y, z, azimuth]) => ({ name, x, y, z, azimuth })),
    agv: { length: message.scene.agv_size_m[0], width: message.scene.agv_size_m[1] },
    policies: message.scene.policies,
    knobs: message.scene.knobs.map(([key, words, value, least, most, step]) => ({ key, words, value, least, most, step })),
    movable: message.scene.movable,
    machines: message.machines.map(([id, kind]) => ({ id, kind })),
    devices: message.links,
    services: message.services.map(([name, profile]) => ({ name, profile })),
    zoneNames: message.zones,
  };
}

const scaled = (value, unit) => (value === null ? null : value * unit);

// A tick of another hall (its names have changed since) cannot be read: null.
export function readTick(message, hall) {
  if (message.m.length !== hall.machines.length || message.l.length !== hall.devices.length) return null;
  const machines = message.m.map(([x, y, heading, speed, mode, loaded, battery, order], i) => ({
    ...hall.machines[i],
    x: x * UNITS.m,
    y: y * UNITS.m,
    heading: heading * UNITS.rad,
    speed: speed * UNITS.m,
    mode,
    loaded: loaded === 1,
    battery,
    order,
    stopped: STOPPED.has(mode),
  }));
  const links = message.l.map(([trp, beam, margin, blockedBy, loss, risk, down, up, ...ahead], i) => ({
    device: hall.devices[i],
    trp: trp < 0 ? null : hall.trps[trp],
    beam,
    margin: scaled(margin, UNITS.db),
    blockedBy,
    loss: scaled(loss, UNITS.db),
    risk: scaled(risk, 0.001),
    down: scaled(down, UNITS.db),
    up: scaled(up, UNITS.db),
    ahead: ahead.map((share) => scaled(share, 0.001)),
  }));
  const services = message.s.map(([availability, mtbf, lost, up, downSince], i) => ({
    ...hall.services[i],
    availability,
    mtbf,
    lost,
    up: up === 1,
    downSince,
  }));
  return { time: message.t, running: message.run, factor: message.f, machines, links, services, people: message.z, joints: message.j ?? [], policy: message.p ?? null, speed: message.v ?? null };
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "not known yet";
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  if (seconds < 7200) return `${(seconds / 60).toFixed(1)} min`;
  if (seconds < 172800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${(seconds / 86400).toFixed(1)} days`;
}

export function clock(timeUs) {
  const s = timeUs / 1e6;
  const pad = (v) => String(Math.floor(v)).padStart(2, "0");
  return `${pad(s / 3600)}:${pad((s / 60) % 60)}:${pad(s % 60)}.${Math.floor((s * 10) % 10)}`;
}

// -log10(1 - availability): 0.999 has three nines.
export function nines(availability) {
  if (availability === null) return "not known yet";
  if (availability >= 1) return "no failure yet";
  return (-Math.log10(1 - availability)).toFixed(2);
}

// A share of lost messages as people read it.
export function share(value) {
  if (value === null) return "not known yet";
  if (value === 0) return "none";
  if (value >= 1e-4) return `${(100 * value).toPrecision(2)} %`;
  return `${(1e6 * value).toPrecision(2)} in a million`;
}

export const decibel = (value) => (value === null ? "none" : `${value.toFixed(1)} dB`);
export const words = (mode) => mode.replaceAll("_", " ");
