// A small renderer on WebGL 2: five shapes, each drawn many times with its own place, size and colour. The hall's z is up.

const VERTEX = `#version 300 es
layout(location=0) in vec3 place;
layout(location=1) in vec3 normal;
layout(location=2) in vec4 m0;
layout(location=3) in vec4 m1;
layout(location=4) in vec4 m2;
layout(location=5) in vec4 m3;
layout(location=6) in vec4 colour;
uniform mat4 camera;
out vec4 shade;
void main() {
  mat4 model = mat4(m0, m1, m2, m3);
  gl_Position = camera * (model * vec4(place, 1.0));
  // the inverse of the squared lengths of the axes: right for shapes that are stretched
  vec3 scale = vec3(dot(m0.xyz, m0.xyz), dot(m1.xyz, m1.xyz), dot(m2.xyz, m2.xyz));
  vec3 n = normalize(mat3(model) * (normal / max(scale, vec3(1e-9))));
  float light = 0.7 + 0.26 * n.z + 0.16 * dot(n, vec3(0.55, -0.83, 0.0));
  shade = vec4(colour.rgb * light, colour.a);
}`;
const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 shade;
out vec4 pixel;
void main() { pixel = vec4(shade.rgb * shade.a, shade.a); }`;
const FLOATS = 20; // of an instance: a matrix and a colour
const FINE = { sides: 14, rings: 8 };
const COARSE = { sides: 7, rings: 4 }; // without a graphics card every corner costs the processor

// Vector and matrix arithmetic; matrices are column by column, as WebGL has them.
export const sub = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
export const add = (a, b, s = 1) => [a[0] + s * b[0], a[1] + s * b[1], a[2] + s * b[2]];
export const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
export const unit = (a) => {
  const n = Math.hypot(...a) || 1;
  return [a[0] / n, a[1] / n, a[2] / n];
};
export function times(a, b) {
  const out = new Float32Array(16);
  for (let c = 0; c < 4; c += 1) for (let r = 0; r < 4; r += 1) for (let k = 0; k < 4; k += 1) out[4 * c + r] += a[4 * k + r] * b[4 * c + k];
  return out;
}
export function perspective(fovRad, aspect, near = 0.1, far = 500) {
  const f = 1 / Math.tan(fovRad / 2);
  const d = 1 / (near - far);
  return new Float32Array([f / aspect, 0, 0, 0, 0, f, 0, 0, 0, 0, (far + near) * d, -1, 0, 0, 2 * far * near * d, 0]);
}
export function lookAt(eye, target, up = [0, 0, 1]) {
  const back = unit(sub(eye, target));
  const right = unit(cross(up, back));
  const top = cross(back, right);
  return new Float32Array([right[0], top[0], back[0], 0, right[1], top[1], back[1], 0, right[2], top[2], back[2], 0, -dot(right, eye), -dot(top, eye), -dot(back, eye), 1]);
}
// Three axes (with their lengths) and a place.
export const frame = (x, y, z, at) => [...x, 0, ...y, 0, ...z, 0, ...at, 1];

function rgb(colour) {
  const n = parseInt(colour.slice(1), 16);
  return [(n >> 16) / 255, ((n >> 8) & 255) / 255, (n & 255) / 255];
}

// Triangles of a shape as [x, y, z, normal] rows.
function boxMesh() {
  const out = [];
  for (const axis of [0, 1, 2]) {
    for (const side of [-1, 1]) {
      const n = [0, 0, 0];
      n[axis] = side;
      const corner = (u, v) => {
        const p = [0, 0, 0];
        p[axis] = side / 2;
        p[(axis + 1) % 3] = (side * u) / 2;
        p[(axis + 2) % 3] = v / 2;
        return [...p, ...n];
      };
      for (const [u, v] of [[-1, -1], [1, -1], [1, 1], [-1, -1], [1, 1], [-1, 1]]) out.push(corner(u, v));
    }
  }
  return out;
}

// A turned profile: [radius, height, normal outwards, normal up] from below to above.
function turnedMesh(profile, sides) {
  const out = [];
  for (let i = 0; i < sides; i += 1) {
    for (let k = 0; k + 1 < profile.length; k += 1) {
      const at = (row, turn) => {
        const [r, z, out1, up] = profile[row];
        const a = (2 * Math.PI * turn) / sides;
        return [r * Math.cos(a), r * Math.sin(a), z, out1 * Math.cos(a), out1 * Math.sin(a), up];
      };
      out.push(at(k, i), at(k, i + 1), at(k + 1, i + 1), at(k, i), at(k + 1, i + 1), at(k + 1, i));
    }
  }
  return out;
}

// The five shapes as triangles.
function shapes({ sides, rings }) {
  const turned = (profile) => turnedMesh(profile, sides);
  return {
    box: boxMesh(), // a cube of side 1 about its centre
    tube: turned([[1, 0, 1, 0], [1, 1, 1, 0]]), // radius 1 from 0 to 1, open
    post: turned([[1, 0, 1, 0], [1, 1, 1, 0], [1, 1, 0, 1], [0, 1, 0, 1]]), // the same with a lid
    ball: turned(Array.from({ length: rings + 1 }, (_, k) => {
      const a = -Math.PI / 2 + (Math.PI * k) / rings;
      return [Math.cos(a), Math.sin(a), Math.cos(a), Math.sin(a)];
    })),
    cone: turned([[0, 0, 0.8, -0.6], [1, 1, 0.8, -0.6]]), // from its tip at 0 to a circle of radius 1 at 1
  };
}

// What is to be drawn: shapes with their places, solid ones and clear ones apart.
export class Scene {
  constructor() {
    this.parts = new Map();
    this.count = 0;
  }

  put(shape, matrix, colour, alpha = 1) {
    const key = alpha < 1 ? `${shape} clear` : shape;
    if (!this.parts.has(key)) this.parts.set(key, []);
    this.parts.get(key).push(...matrix, ...rgb(colour), alpha);
    this.count += 1;
  }

  // A box [m] with its middle at a place, turned about the vertical.
  box(at, size, yaw, colour, alpha = 1) {
    const [c, s] = [Math.cos(yaw), Math.sin(yaw)];
    this.put("box", frame([c * size[0], s * size[0], 0], [-s * size[1], c * size[1], 0], [0, 0, size[2]], at), colour, alpha);
  }

  // A bar from a to b.
  bar(a, b, radius, colour, alpha = 1, shape = "tube") {
    const way = sub(b, a);
    const [x, y] = across(way);
    this.put(shape, frame(x.map((v) => v * radius), y.map((v) => v * radius), way, a), colour, alpha);
  }

  ball(at, radius, colour) {
    this.put("ball", frame([radius, 0, 0], [0, radius, 0], [0, 0, radius], at), colour);
  }

  capsule(a, b, radius, colour) {
    this.bar(a, b, radius, colour);
    this.ball(a, radius, colour);
    this.ball(b, radius, colour);
  }
}

// Two unit vectors at right angles to a way and to each other.
export function across(way) {
  const z = unit(way);
  const x = unit(cross(Math.abs(z[2]) < 0.9 ? [0, 0, 1] : [1, 0, 0], z));
  return [x, cross(z, x)];
}

// Whether the processor draws instead of a graphics card: then there are no smooth edges to be had at a fair price.
function drawnBySoftware() {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return false;
  const named = gl.getExtension("WEBGL_debug_renderer_info");
  const name = named ? gl.getParameter(named.UNMASKED_RENDERER_WEBGL) : gl.getParameter(gl.RENDERER);
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|softpipe|software|basic render/i.test(String(name));
}

export class Renderer {
  // canvas: where to draw; throws where the browser has no WebGL 2.
  constructor(canvas) {
    this.software = drawnBySoftware();
    const gl = canvas.getContext("webgl2", { antialias: !this.software, alpha: true, premultipliedAlpha: true });
    if (!gl) throw new Error("this browser has no WebGL 2");
    this.gl = gl;
    const shader = (kind, text) => {
      const made = gl.createShader(kind);
      gl.shaderSource(made, text);
      gl.compileShader(made);
      if (!gl.getShaderParameter(made, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(made) || "a shader does not compile");
      return made;
    };
    this.program = gl.createProgram();
    gl.attachShader(this.program, shader(gl.VERTEX_SHADER, VERTEX));
    gl.attachShader(this.program, shader(gl.FRAGMENT_SHADER, FRAGMENT));
    gl.linkProgram(this.program);
    this.camera = gl.getUniformLocation(this.program, "camera");
    this.meshes = new Map(Object.entries(shapes(this.software ? COARSE : FINE)).map(([name, rows]) => [name, this.mesh(rows)]));
    this.kept = new Map(); // instances of a part of a scene, on the card until another scene takes their place
  }

  mesh(rows) {
    const gl = this.gl;
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(rows.flat()), gl.STATIC_DRAW);
    return { buffer, count: rows.length };
  }

  // Instances of a part, sent to the card when its scene is a new one.
  instances(place, key, scene) {
    const gl = this.gl;
    const name = `${place} ${key}`;
    let kept = this.kept.get(name);
    if (!kept) this.kept.set(name, (kept = { buffer: gl.createBuffer(), scene: null }));
    gl.bindBuffer(gl.ARRAY_BUFFER, kept.buffer);
    if (kept.scene !== scene) {
      kept.scene = scene;
      gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(scene.parts.get(key)), gl.DYNAMIC_DRAW);
    }
  }

  // Draw scenes through one camera into a part [x, y, width, height] of the target that is bound.
  draw(scenes, camera, [x, y, width, height]) {
    const gl = this.gl;
    gl.viewport(x, y, width, height);
    gl.enable(gl.DEPTH_TEST);
    gl.useProgram(this.program);
    gl.uniformMatrix4fv(this.camera, false, camera);
    const parts = scenes.flatMap((scene, place) => [...scene.parts].map(([key, values]) => ({ scene, place, key, values, clear: key.endsWith(" clear") })));
    parts.sort((a, b) => a.clear - b.clear);
    for (const { scene, place, key, values, clear } of parts) {
      if (clear) {
        gl.enable(gl.BLEND);
        gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
      } else gl.disable(gl.BLEND);
      gl.depthMask(!clear);
      const { buffer, count } = this.meshes.get(key.split(" ")[0]);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      for (const [i, offset] of [[0, 0], [1, 12]]) {
        gl.enableVertexAttribArray(i);
        gl.vertexAttribPointer(i, 3, gl.FLOAT, false, 24, offset);
        gl.vertexAttribDivisor(i, 0);
      }
      this.instances(place, key, scene);
      for (let i = 0; i < 5; i += 1) {
        gl.enableVertexAttribArray(2 + i);
        gl.vertexAttribPointer(2 + i, 4, gl.FLOAT, false, 4 * FLOATS, 16 * i);
        gl.vertexAttribDivisor(2 + i, 1);
      }
      gl.drawArraysInstanced(gl.TRIANGLES, 0, count, values.length / FLOATS);
    }
    gl.depthMask(true);
  }

  clear() {
    const gl = this.gl;
    gl.depthMask(true);
    gl.clearColor(0.875, 0.902, 0.922, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  }

  close() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
