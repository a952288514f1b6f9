/** Draws a image at its full depth: with WebGL 2, or on a 2-D canvas where that is missing or the image too large. */

import type { Level } from "./pyramid";

/** Where and how a image is drawn, in pixels of the canvas. */
export interface Placement {
  /** Pixels of the canvas for one pixel of the image. */
  scale: number;
  left: number;
  top: number;
  /** The window, on 0 to 65,535. */
  low: number;
  high: number;
  isInverted: boolean;
  /** Clockwise; the pixels come turned, what is drawn over them is turned by this. */
  quarters: number;
}

export interface Renderer {
  readonly kind: "WebGL 2" | "2-D canvas";
  /** Longest side of a image that it can draw. */
  readonly longestSide: number;
  setImage(levels: Level[]): void;
  draw(placement: Placement): void;
}

const VERTEX = `#version 300 es
void main() {
  vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
  gl_Position = vec4(corner, 0.0, 1.0);
}`;

const FRAGMENT = `#version 300 es
precision highp float;
precision highp usampler2D;
uniform usampler2D image;
uniform vec2 size;     // of the level, in pixels
uniform vec2 origin;   // of the image on the canvas
uniform float scale;   // pixels of the canvas for one of the level
uniform float height;  // of the canvas
uniform vec2 range;
uniform bool isInverted;
out vec4 colour;

float value(ivec2 at) {
  return float(texelFetch(image, clamp(at, ivec2(0), ivec2(size) - 1), 0).r);
}

void main() {
  vec2 place = (vec2(gl_FragCoord.x, height - gl_FragCoord.y) - origin) / scale;
  if (any(lessThan(place, vec2(0.0))) || any(greaterThanEqual(place, size))) {
    colour = vec4(0.0);
    return;
  }
  vec2 centred = place - 0.5;
  ivec2 first = ivec2(floor(centred));
  vec2 part = centred - vec2(first);
  float upper = mix(value(first), value(first + ivec2(1, 0)), part.x);
  float lower = mix(value(first + ivec2(0, 1)), value(first + ivec2(1, 1)), part.x);
  float grey = clamp((mix(upper, lower, part.y) - range.x) / max(range.y - range.x, 1.0), 0.0, 1.0);
  colour = vec4(vec3(isInverted ? 1.0 - grey : grey), 1.0);
}`;

/** The best renderer that there is for a canvas. */
export function createRenderer(canvas: HTMLCanvasElement, avoidWebGl: boolean): Renderer {
  const gl = avoidWebGl ? null : canvas.getContext("webgl2", { antialias: false, preserveDrawingBuffer: true });
  return gl === null ? new CanvasRenderer(canvas) : new WebGlRenderer(canvas, gl);
}

/** The level whose pixels are the next smaller on the canvas, so that no pixel is skipped. */
function chooseLevel(levels: Level[], scale: number): number {
  return Math.min(levels.length - 1, Math.max(0, Math.floor(-Math.log2(scale) + 1e-6)));
}

class WebGlRenderer implements Renderer {
  readonly kind = "WebGL 2";
  readonly longestSide: number;
  private readonly program: WebGLProgram;
  private textures: WebGLTexture[] = [];
  private levels: Level[] = [];

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly gl: WebGL2RenderingContext,
  ) {
    this.longestSide = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number;
    this.program = gl.createProgram();
    for (const [kind, text] of [
      [gl.VERTEX_SHADER, VERTEX],
      [gl.FRAGMENT_SHADER, FRAGMENT],
    ] as const) {
      const shader = gl.createShader(kind);
      if (shader === null) throw new Error("WebGL 2 has no shader");
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(this.program, shader);
    }
    gl.linkProgram(this.program);
    if (gl.getProgramParameter(this.program, gl.LINK_STATUS) !== true) throw new Error("WebGL 2 has no program");
  }

  setImage(levels: Level[]): void {
    const { gl } = this;
    this.textures.forEach((texture) => {
      gl.deleteTexture(texture);
    });
    this.levels = levels;
    this.textures = levels.map(({ values, height, width }) => {
      const texture = gl.createTexture();
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.pixelStorei(gl.UNPACK_ALIGNMENT, 2);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.R16UI, width, height, 0, gl.RED_INTEGER, gl.UNSIGNED_SHORT, values);
      for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, side, gl.NEAREST);
      for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
      return texture;
    });
  }

  draw({ scale, left, top, low, high, isInverted }: Placement): void {
    const { gl, program, canvas } = this;
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    if (this.levels.length === 0) return;
    const index = chooseLevel(this.levels, scale);
    const level = this.levels[index];
    gl.useProgram(program);
    gl.bindTexture(gl.TEXTURE_2D, this.textures[index]);
    gl.uniform2f(gl.getUniformLocation(program, "size"), level.width, level.height);
    gl.uniform2f(gl.getUniformLocation(program, "origin"), left, top);
    gl.uniform1f(gl.getUniformLocation(program, "scale"), (scale * this.levels[0].width) / level.width);
    gl.uniform1f(gl.getUniformLocation(program, "height"), canvas.height);
    gl.uniform2f(gl.getUniformLocation(program, "range"), low, high);
    gl.uniform1i(gl.getUniformLocation(program, "isInverted"), isInverted ? 1 : 0);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}

class CanvasRenderer implements Renderer {
  readonly kind = "2-D canvas";
  readonly longestSide = Infinity;
  private levels: Level[] = [];

  constructor(private readonly canvas: HTMLCanvasElement) {}

  setImage(levels: Level[]): void {
    this.levels = levels;
  }

  draw({ scale, left, top, low, high, isInverted }: Placement): void {
    const { canvas } = this;
    const context = canvas.getContext("2d");
    if (context === null) return;
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (this.levels.length === 0) return;
    const level = this.levels[chooseLevel(this.levels, scale)];
    const step = (scale * this.levels[0].width) / level.width;
    const image = context.createImageData(canvas.width, canvas.height);
    const pixels = new Uint32Array(image.data.buffer);
    const gain = 255 / Math.max(high - low, 1);
    const first = Math.max(0, Math.ceil(left));
    const last = Math.min(canvas.width, Math.floor(left + level.width * step));
    for (let y = Math.max(0, Math.ceil(top)); y < Math.min(canvas.height, Math.floor(top + level.height * step)); y++) {
      const row = Math.min(level.height - 1, Math.floor((y + 0.5 - top) / step));
      for (let x = first; x < last; x++) {
        const column = Math.min(level.width - 1, Math.floor((x + 0.5 - left) / step));
        let grey = Math.min(255, Math.max(0, (level.values[row * level.width + column] - low) * gain)) | 0;
        if (isInverted) grey = 255 - grey;
        pixels[y * canvas.width + x] = 0xff000000 | (grey << 16) | (grey << 8) | grey;
      }
    }
    context.putImageData(image, 0, 0);
  }
}
