// The hall in three dimensions: what stands in it and what moves, as shapes for the renderer.
import { marginColour } from "./floor.js";
import { Scene, add, frame, sub, unit } from "./solid_gl.js";

const RACK_LEVEL_M = 1.4;
const MAST_M = 1.2; // antenna of an AGV where nothing else is known
const LOAD_M = 0.7; // assumed: the view says that there is a load, not how high it is
const PERSON = { height: 1.75, radius: 0.22, head: 0.12 }; // assumed: a place is all that is sent
const BEAM_M = [3, 14]; // drawn length of a beam with no device, and at most

// Ends of the capsules of an arm: base over the joints to the tool.
export function armPoints(arm, base, yaw, angles) {
  const points = [base];
  let at = base;
  let [x, y, z] = [[Math.cos(yaw), Math.sin(yaw), 0], [-Math.sin(yaw), Math.cos(yaw), 0], [0, 0, 1]];
  arm.frames.forEach((f, j) => {
    const turn = (c) => [0, 1, 2].map((i) => x[i] * f[0][c] + y[i] * f[1][c] + z[i] * f[2][c]);
    at = add(at, turn(3));
    points.push(at);
    const [u, v, w] = [turn(0), turn(1), turn(2)];
    const [c, s] = [Math.cos(angles[j]), Math.sin(angles[j])];
    x = u.map((_, i) => c * u[i] + s * v[i]);
    y = u.map((_, i) => c * v[i] - s * u[i]);
    z = w;
  });
  points.push(add(at, z, arm.tool_m));
  return points;
}

// Direction of a beam of the DFT codebook, and its half widths [rad] across and along the panel's height.
export function beamOf(trp, beam) {
  const [row, column] = [Math.floor(beam / trp.columns), beam % trp.columns];
  const up = (2 * (row - Math.floor(trp.rows / 2))) / trp.rows;
  const left = (2 * (column - Math.floor(trp.columns / 2))) / trp.columns;
  const ahead = Math.sqrt(Math.max(0, 1 - up * up - left * left));
  const way = unit([0, 1, 2].map((i) => ahead * trp.axes[0][i] + left * trp.axes[1][i] + up * trp.axes[2][i]));
  // half power at 0.443 of the wavelength over the array's length: 0.886 / n for elements half a wavelength apart
  return { way, half: [Math.min(0.6, 0.886 / trp.columns), Math.min(0.6, 0.886 / trp.rows)] };
}

function rack(scene, b) {
  const [c, s] = [Math.cos(b.yaw), Math.sin(b.yaw)];
  const at = (u, v, z) => [b.x + c * u - s * v, b.y + s * u + c * v, z];
  for (let z = 0.1; z < b.h; z += RACK_LEVEL_M) scene.box(at(0, 0, z), [b.l, b.w, 0.1], b.yaw, "#c9a97c");
  const posts = Math.max(1, Math.round(b.l / 3));
  for (let k = 0; k <= posts; k += 1) {
    for (const v of [-0.5, 0.5]) scene.box(at(b.l * (k / posts - 0.5), v * (b.w - 0.08), b.h / 2), [0.09, 0.09, b.h], b.yaw, "#3c5f8c");
  }
}

// What stands still: the floor, racks, machines and walls.
export function buildHall(hall) {
  const scene = new Scene();
  const { length, width } = hall.size;
  scene.box([length / 2, width / 2, -0.06], [length, width, 0.1], 0, "#f4f5f6");
  for (const b of hall.boxes) {
    if (b.kind === "rack") rack(scene, b);
    else scene.box([b.x, b.y, b.h / 2], [b.l, b.w, b.h], b.yaw, b.kind === "wall" ? "#d5dade" : "#aab6c0", b.kind === "wall" ? 0.35 : 1);
  }
  return scene;
}

// What moves or changes. hall, tick, poses: as the floor has them; solid: of /api/solid; layers: what is wanted; picked: a device;
// from: TRP of the eye.
export function buildScene(hall, tick, poses, solid, layers, picked, from = "") {
  const scene = new Scene();
  if (layers.zones) {
    hall.zones.forEach((z, i) => {
      const busy = Math.min(0.3, 0.06 * (tick.people[i] ?? 0));
      if (busy > 0) scene.box([(z.x0 + z.x1) / 2, (z.y0 + z.y1) / 2, 0.02], [z.x1 - z.x0, z.y1 - z.y0, 0.01], 0, "#5e3c99", busy);
    });
  }
  const antennas = new Map();
  let cobots = 0;
  let jointed = 0;
  for (const m of tick.machines) {
    const colour = m.stopped ? "#e08214" : "#2a6aa8";
    if (m.kind === "agv") {
      const h = solid.agv_height_m ?? 0.35;
      const ahead = [Math.cos(m.heading), Math.sin(m.heading), 0];
      scene.box([m.x, m.y, h / 2 + 0.03], [hall.agv.length, hall.agv.width, h], m.heading, colour);
      scene.box(add([m.x, m.y, h + 0.05], ahead, hall.agv.length * 0.4), [0.12, hall.agv.width * 0.8, 0.06], m.heading, "#14304a");
      if (m.loaded) scene.box(add([m.x, m.y, h + LOAD_M / 2], ahead, -0.08), [hall.agv.length * 0.75, hall.agv.width * 0.9, LOAD_M], m.heading, "#e8a33d");
      const top = [m.x, m.y, MAST_M];
      scene.bar([m.x, m.y, h], top, 0.02, "#333f49");
      antennas.set(m.id, top);
    } else {
      const base = [m.x, m.y, solid.base_m?.[cobots] ?? 0];
      const joints = tick.joints.length ? tick.joints[jointed++]?.map((q) => q / 1000) : null;
      cobots += 1;
      if (base[2] > 0.05) scene.box([m.x, m.y, base[2] / 2], [0.4, 0.4, base[2]], m.heading, "#555b61");
      antennas.set(m.id, add(base, [0, 0, 1]));
      if (!solid.arm) continue;
      const points = armPoints(solid.arm, base, m.heading, joints ?? solid.arm.rest_rad);
      // an arm whose posture was not recorded stands grey and at rest
      for (let k = 0; k + 1 < points.length; k += 1) scene.capsule(points[k], points[k + 1], solid.arm.radius_m[k], joints ? (m.stopped ? "#e08214" : "#d9772b") : "#9aa3aa");
    }
    if (m.id === picked) scene.put("tube", frame([0.9, 0, 0], [0, 0.9, 0], [0, 0, 0.05], [m.x, m.y, 0.01]), "#14304a");
  }
  if (layers.people) {
    for (const [x, y] of poses ?? []) {
      scene.capsule([x, y, PERSON.radius], [x, y, PERSON.height - 2 * PERSON.head - PERSON.radius], PERSON.radius, "#5e3c99");
      scene.ball([x, y, PERSON.height - PERSON.head], PERSON.head, "#c9a086");
    }
  }
  const reach = new Map();
  for (const link of tick.links) {
    const end = antennas.get(link.device);
    if (!link.trp) continue;
    const place = [link.trp.x, link.trp.y, link.trp.z];
    const key = `${link.trp.name} ${link.beam}`;
    const far = end ? Math.hypot(...sub(end, place)) : BEAM_M[0];
    reach.set(key, { trp: link.trp, beam: link.beam, far: Math.max(reach.get(key)?.far ?? 0, Math.min(far, BEAM_M[1])), margin: Math.min(reach.get(key)?.margin ?? Infinity, link.margin ?? -Infinity) });
    // seen from its own TRP a link is a point: a ball at the device shows it
    if (layers.links && end && link.trp.name === from) scene.ball(add(end, [0, 0, 0.15]), 0.22, marginColour(link.margin));
    else if (layers.links && end) scene.bar(place, end, link.device === picked ? 0.07 : 0.03, marginColour(link.margin));
  }
  for (const trp of hall.trps) {
    const panel = solid.trps?.find((t) => t.name === trp.name);
    const at = [trp.x, trp.y, trp.z];
    if (trp.name === from) continue; // it would stand before the eye
    if (!panel) {
      scene.box(at, [0.3, 0.3, 0.3], trp.azimuth, "#111111");
      continue;
    }
    const [b, l, u] = panel.axes;
    scene.put("box", frame(b.map((v) => 0.12 * v), l.map((v) => 0.5 * v), u.map((v) => 0.5 * v), at), "#222222");
    if (!layers.beams) continue;
    for (const { trp: of, beam, far, margin } of reach.values()) {
      if (of.name !== trp.name || beam < 0) continue;
      const { way, half } = beamOf(panel, beam);
      const side = unit(sub(l, way.map((v) => v * (l[0] * way[0] + l[1] * way[1] + l[2] * way[2]))));
      const top = [way[1] * side[2] - way[2] * side[1], way[2] * side[0] - way[0] * side[2], way[0] * side[1] - way[1] * side[0]];
      const [wide, high] = half.map((a) => far * Math.tan(a));
      scene.put("cone", frame(side.map((v) => v * wide), top.map((v) => v * high), way.map((v) => v * far), at), marginColour(margin === -Infinity ? null : margin), 0.16);
    }
  }
  return scene;
}
