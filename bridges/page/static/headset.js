// The 3D view in a headset (WebXR): the hall as a model on a table, or in full size from where a TRP hangs.
import { sub, times } from "./solid_gl.js";

const TABLE = { length: 1.6, height: 0.75, away: 1.3 }; // [m] of the model in the room
const EYE_M = 1.6; // assumed height of eyes where the headset does not know the floor

export class Headset {
  // renderer, scenes(), stand(): of the view whose hall is entered.
  constructor(renderer, scenes, stand) {
    Object.assign(this, { renderer, scenes, stand, session: null, frames: 0 });
  }

  // Whether this browser has a headset to enter with.
  async supported() {
    try {
      return Boolean(await navigator.xr?.isSessionSupported("immersive-vr"));
    } catch {
      return false;
    }
  }

  // Enter, or leave where one is inside; onEnd() is told when the session is over.
  async start(onEnd) {
    if (this.session) {
      this.end();
      return;
    }
    const session = await navigator.xr.requestSession("immersive-vr", { optionalFeatures: ["local-floor"] });
    const gl = this.renderer.gl;
    await gl.makeXRCompatible?.();
    this.layer = new XRWebGLLayer(session, gl);
    session.updateRenderState({ baseLayer: this.layer, depthNear: 0.05, depthFar: 500 });
    this.floored = true;
    try {
      this.space = await session.requestReferenceSpace("local-floor");
    } catch {
      this.space = await session.requestReferenceSpace("local");
      this.floored = false;
    }
    this.session = session;
    session.addEventListener("end", () => {
      this.session = null;
      gl.bindFramebuffer(gl.FRAMEBUFFER, null);
      onEnd();
    });
    session.requestAnimationFrame((time, frame) => this.draw(frame));
  }

  end() {
    this.session?.end();
  }

  // From the hall (z up) to the room (y up).
  room() {
    const { eye, target, trp, hall } = this.stand();
    const floor = this.floored ? 0 : -EYE_M;
    if (trp) {
      // ahead of the TRP is ahead in the room; its place is where the head starts
      const way = sub(target, eye);
      const yaw = Math.atan2(way[1], way[0]);
      const [c, s] = [Math.cos(yaw), Math.sin(yaw)];
      // hall's ahead (c, s) to -z, hall's left (-s, c) to -x, up to y
      const turn = new Float32Array([s, 0, -c, 0, -c, 0, -s, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
      const back = new Float32Array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, -eye[0], -eye[1], -eye[2], 1]);
      const lift = new Float32Array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, floor + EYE_M, 0, 1]);
      return times(lift, times(turn, back));
    }
    const k = TABLE.length / Math.max(hall.size.length, hall.size.width);
    return new Float32Array([k, 0, 0, 0, 0, 0, -k, 0, 0, k, 0, 0, (-k * hall.size.length) / 2, floor + TABLE.height, -TABLE.away + (k * hall.size.width) / 2, 1]);
  }

  draw(frame) {
    if (!this.session) return;
    this.session.requestAnimationFrame((time, next) => this.draw(next));
    const pose = frame.getViewerPose(this.space);
    const scenes = this.scenes();
    if (!pose || !scenes) return;
    const gl = this.renderer.gl;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.layer.framebuffer);
    this.renderer.clear();
    const room = this.room();
    for (const view of pose.views) {
      const { x, y, width, height } = this.layer.getViewport(view);
      const camera = times(view.projectionMatrix, times(view.transform.inverse.matrix, room));
      this.renderer.draw(scenes, camera, [x, y, width, height]);
    }
    this.frames += 1;
  }
}
