"use strict";
// Plays a face and its sound. All data stands in the page itself; see backend/viewer/page.py for its form.
const viewer = (() => {
  const page = JSON.parse(document.getElementById("page").textContent);
  const data = decodeBase64(document.getElementById("data").textContent);
  const element = (id) => document.getElementById(id);
  const COLOURS = ["#6fb1ff", "#ffb454", "#7fd992", "#f28b9b", "#c79bf2", "#5fd4d0", "#e8e06a", "#b8bcc4"];
  const SHOWN_SECONDS = 10;

  function decodeBase64(text) {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    return bytes.buffer;
  }

  const array = (kind, place) => (place ? new kind(data, place[0], place[1]) : null);

  // --- the motion -------------------------------------------------------------------------------------------------

  const values = array(Float32Array, page.values);
  const width = page.names.length;
  const vertexFrames = page.vertices && array(Int16Array, page.vertices.offsets);

  // The two frames around a time, and how far it lies between them.
  function framesAt(time) {
    const place = Math.min(Math.max(time * page.fps, 0), page.frames - 1);
    const first = Math.floor(place);
    return [first, Math.min(first + 1, page.frames - 1), place - first];
  }

  function valueAt(channel, time) {
    const [first, second, share] = framesAt(time);
    return values[first * width + channel] * (1 - share) + values[second * width + channel] * share;
  }

  // --- the surfaces -----------------------------------------------------------------------------------------------

  function makePart(source) {
    const rest = array(Float32Array, source.points);
    const triangles = array(Uint32Array, source.triangles);
    const flat = unitNormals(rest, triangles);
    const part = {
      rest,
      triangles,
      flat,
      restNormals: array(Float32Array, source.normals) || flat,
      positions: rest.slice(),
      texels: array(Float32Array, source.texels),
      colour: source.colour,
      texture: source.texture,
      shapes: source.shapes.map((shape) => ({
        channel: shape.channel,
        scale: shape.scale,
        indices: array(Uint32Array, shape.indices),
        offsets: array(Int16Array, shape.offsets),
      })),
    };
    part.normals = part.restNormals.slice();
    part.moves = part.shapes.length > 0 || Boolean(vertexFrames);
    return part;
  }

  function unitNormals(points, triangles) {
    const normals = new Float32Array(points.length);
    for (let t = 0; t < triangles.length; t += 3) {
      const [a, b, c] = [triangles[t] * 3, triangles[t + 1] * 3, triangles[t + 2] * 3];
      const [ux, uy, uz] = [points[b] - points[a], points[b + 1] - points[a + 1], points[b + 2] - points[a + 2]];
      const [vx, vy, vz] = [points[c] - points[a], points[c + 1] - points[a + 1], points[c + 2] - points[a + 2]];
      const [x, y, z] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
      for (const corner of [a, b, c]) {
        normals[corner] += x;
        normals[corner + 1] += y;
        normals[corner + 2] += z;
      }
    }
    for (let i = 0; i < normals.length; i += 3) {
      const length = Math.hypot(normals[i], normals[i + 1], normals[i + 2]) || 1;
      for (let k = i; k < i + 3; k++) normals[k] /= length;
    }
    return normals;
  }

  function deform(part, time) {
    const positions = part.positions;
    positions.set(part.rest);
    for (const shape of part.shapes) {
      const weight = valueAt(shape.channel, time) * shape.scale;
      if (weight === 0) continue;
      for (let i = 0; i < shape.indices.length; i++) {
        const to = shape.indices[i] * 3;
        for (let k = 0; k < 3; k++) positions[to + k] += weight * shape.offsets[i * 3 + k];
      }
    }
    if (vertexFrames) moveVertices(positions, time);
    // The file's own normals are smooth where a seam has split the surface, so only the change is computed.
    const now = unitNormals(positions, part.triangles);
    for (let i = 0; i < now.length; i++) part.normals[i] = part.restNormals[i] + now[i] - part.flat[i];
  }

  function moveVertices(positions, time) {
    const [first, second, share] = framesAt(time);
    const [a, b] = [first * positions.length, second * positions.length];
    for (let i = 0; i < positions.length; i++) {
      positions[i] += page.vertices.scale * (vertexFrames[a + i] * (1 - share) + vertexFrames[b + i] * share);
    }
  }

  const parts = page.parts.map(makePart);

  // --- drawing ----------------------------------------------------------------------------------------------------

  const canvas = element("face");
  const gl = canvas.getContext("webgl2", { antialias: true });
  const camera = { yaw: page.focus.yaw, pitch: 0, distance: 1 };
  const dot = parts.some((part) => part.triangles.length === 0);
  let program = null;

  const VERTEX = `#version 300 es
    layout(location = 0) in vec3 position;
    layout(location = 1) in vec3 normal;
    layout(location = 2) in vec2 texel;
    uniform mat4 view, projection;
    uniform float size;
    out vec3 turned;
    out vec2 place;
    void main() {
      turned = mat3(view) * normal;
      place = texel;
      gl_PointSize = size;
      gl_Position = projection * view * vec4(position, 1.0);
    }`;

  const FRAGMENT = `#version 300 es
    precision highp float;
    in vec3 turned;
    in vec2 place;
    uniform vec4 colour;
    uniform sampler2D picture;
    uniform bool textured, dots;
    out vec4 pixel;
    void main() {
      vec4 base = colour;
      if (textured) {
        vec4 seen = texture(picture, place);
        if (seen.a < 0.5) discard;
        base.rgb *= pow(seen.rgb, vec3(2.2));
      }
      vec3 n = normalize(turned) * (gl_FrontFacing || dots ? 1.0 : -1.0);
      float key = max(dot(n, normalize(vec3(0.4, 0.6, 0.8))), 0.0);
      float light = dots ? 1.0 : 0.28 + 0.17 * n.y + 0.75 * key;
      pixel = vec4(pow(base.rgb * light, vec3(1.0 / 2.2)), 1.0);
    }`;

  function compile() {
    const made = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(made, shader);
    }
    gl.linkProgram(made);
    if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made));
    return made;
  }

  function upload(part) {
    part.vertexArray = gl.createVertexArray();
    gl.bindVertexArray(part.vertexArray);
    part.positionBuffer = attribute(0, 3, part.positions);
    part.normalBuffer = attribute(1, 3, part.normals);
    if (part.texels) attribute(2, 2, part.texels);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, part.triangles, gl.STATIC_DRAW);
    if (part.texture && part.texels) loadPicture(part);
  }

  function attribute(location, size, content) {
    const buffer = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, content, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(location);
    gl.vertexAttribPointer(location, size, gl.FLOAT, false, 0, 0);
    return buffer;
  }

  async function loadPicture(part) {
    try {
      const blob = new Blob([array(Uint8Array, part.texture.bytes)], { type: part.texture.type });
      const picture = await createImageBitmap(blob);
      part.picture = gl.createTexture();
      gl.bindTexture(gl.TEXTURE_2D, part.picture);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, picture);
      gl.generateMipmap(gl.TEXTURE_2D);
      draw();
    } catch (error) {
      tell(`A texture of the head cannot be shown: ${error.message}`);
    }
  }

  function matrices() {
    const near = page.focus.radius * 0.05;
    const far = page.focus.radius * 60;
    const distance = page.focus.radius * 2.6 * camera.distance;
    const slope = 1 / Math.tan(0.4);
    const projection = new Float32Array(16);
    const aspect = canvas.width / Math.max(canvas.height, 1);
    projection[0] = slope / Math.max(aspect, 0.001) * Math.min(aspect, 1);
    projection[5] = slope * Math.min(aspect, 1);
    projection[10] = (far + near) / (near - far);
    projection[11] = -1;
    projection[14] = (2 * far * near) / (near - far);
    const [cy, sy, cp, sp] = [Math.cos(camera.yaw), Math.sin(camera.yaw), Math.cos(camera.pitch), Math.sin(camera.pitch)];
    const rows = [[cy, 0, sy], [sp * sy, cp, -sp * cy], [-cp * sy, sp, cp * cy]];
    const view = new Float32Array(16);
    rows.forEach((row, r) => {
      row.forEach((value, c) => (view[c * 4 + r] = value));
      view[12 + r] = -row.reduce((sum, value, c) => sum + value * page.focus.centre[c], 0);
    });
    view[14] -= distance;
    view[15] = 1;
    return { view, projection };
  }

  function drawFace() {
    if (!program) return;
    fit(canvas);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0.115, 0.122, 0.137, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.useProgram(program);
    const at = (name) => gl.getUniformLocation(program, name);
    const { view, projection } = matrices();
    gl.uniformMatrix4fv(at("view"), false, view);
    gl.uniformMatrix4fv(at("projection"), false, projection);
    gl.uniform1f(at("size"), 4 * devicePixelRatio);
    gl.uniform1i(at("dots"), dot ? 1 : 0);
    for (const part of parts) {
      if (part.moves) {
        deform(part, time());
        for (const [buffer, content] of [[part.positionBuffer, part.positions], [part.normalBuffer, part.normals]]) {
          gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
          gl.bufferSubData(gl.ARRAY_BUFFER, 0, content);
        }
      }
      gl.uniform4fv(at("colour"), part.colour);
      gl.uniform1i(at("textured"), part.picture ? 1 : 0);
      if (part.picture) gl.bindTexture(gl.TEXTURE_2D, part.picture);
      gl.bindVertexArray(part.vertexArray);
      if (part.triangles.length) gl.drawElements(gl.TRIANGLES, part.triangles.length, gl.UNSIGNED_INT, 0);
      else gl.drawArrays(gl.POINTS, 0, part.rest.length / 3);
    }
  }

  function fit(surface) {
    const [w, h] = [surface.clientWidth, surface.clientHeight].map((size) => Math.round(size * devicePixelRatio));
    if (surface.width !== w || surface.height !== h) [surface.width, surface.height] = [w, h];
  }

  // --- curves -----------------------------------------------------------------------------------------------------

  const curves = element("curves");
  const chosen = new Set(page.shown);

  function shownRange() {
    const length = Math.min(SHOWN_SECONDS, page.duration);
    const start = Math.min(Math.max(time() - length / 2, 0), page.duration - length);
    return [start, length];
  }

  function drawCurves() {
    fit(curves);
    const context = curves.getContext("2d");
    const [start, length] = shownRange();
    const [w, h] = [curves.width, curves.height];
    const row = (value) => h - 4 - (Math.min(Math.max(value, page.low), page.high) - page.low) / (page.high - page.low) * (h - 8);
    context.clearRect(0, 0, w, h);
    context.lineWidth = 1.5 * devicePixelRatio;
    context.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    let left = 8 * devicePixelRatio;
    [...chosen].forEach((channel, order) => {
      context.strokeStyle = context.fillStyle = COLOURS[order % COLOURS.length];
      context.beginPath();
      for (let x = 0; x <= w; x += 2) context.lineTo(x, row(valueAt(channel, start + (x / w) * length)));
      context.stroke();
      context.fillText(page.names[channel], left, 14 * devicePixelRatio);
      left += context.measureText(page.names[channel]).width + 14 * devicePixelRatio;
    });
    context.fillStyle = "#ffffff";
    context.fillRect(((time() - start) / length) * w - devicePixelRatio / 2, 0, devicePixelRatio, h);
  }

  function listChannels() {
    page.names.forEach((name, channel) => {
      const label = document.createElement("label");
      const box = document.createElement("input");
      box.type = "checkbox";
      box.checked = chosen.has(channel);
      box.addEventListener("change", () => {
        if (box.checked) chosen.add(channel);
        else chosen.delete(channel);
        draw();
      });
      label.append(box, " ", name);
      element("channels").append(label);
    });
  }

  // --- time -------------------------------------------------------------------------------------------------------

  let sound = null;
  let playing = false;
  let stopped = 0; // the time shown while nothing plays
  let since = 0; // performance.now() at which time 0 was, without a sound

  function time() {
    if (!playing) return stopped;
    return Math.min(sound ? sound.currentTime : (performance.now() - since) / 1000, page.duration);
  }

  async function play() {
    if (stopped >= page.duration - 0.01) stopped = 0;
    if (sound) {
      sound.currentTime = stopped;
      try {
        await sound.play();
      } catch (error) {
        tell(`The sound cannot be played: ${error.message}`);
        sound = null;
      }
    }
    since = performance.now() - stopped * 1000;
    setPlaying(true);
    requestAnimationFrame(tick);
  }

  function pause() {
    stopped = time();
    setPlaying(false);
    if (sound) sound.pause();
    draw();
  }

  function setPlaying(now) {
    playing = now;
    element("play").textContent = now ? "Pause" : "Play";
    element("play").setAttribute("aria-pressed", String(now));
  }

  function seek(to) {
    stopped = Math.min(Math.max(to, 0), page.duration);
    since = performance.now() - stopped * 1000;
    if (sound) sound.currentTime = stopped;
    draw();
  }

  function tick() {
    if (!playing) return;
    if (time() >= page.duration - 1e-3 || (sound && sound.ended)) {
      pause();
      return;
    }
    draw();
    requestAnimationFrame(tick);
  }

  function clockText(seconds) {
    return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;
  }

  function draw() {
    drawFace();
    drawCurves();
    element("time").value = time();
    element("clock").textContent = `${clockText(time())} / ${clockText(page.duration)}`;
  }

  // --- what the user does -----------------------------------------------------------------------------------------

  function tell(text) {
    element("problem").textContent = text;
    element("problem").hidden = false;
  }

  function listen() {
    element("play").addEventListener("click", () => (playing ? pause() : play()));
    element("time").addEventListener("input", (event) => seek(Number(event.target.value)));
    element("volume").addEventListener("input", (event) => sound && (sound.volume = Number(event.target.value)));
    curves.addEventListener("pointerdown", (event) => {
      const [start, length] = shownRange();
      seek(start + (event.offsetX / curves.clientWidth) * length);
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== " " || event.target.matches("button, input, summary")) return;
      event.preventDefault();
      if (playing) pause();
      else play();
    });
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      if (!event.buttons) return;
      camera.yaw += event.movementX * 0.008;
      camera.pitch = Math.min(Math.max(camera.pitch + event.movementY * 0.008, -1.5), 1.5);
      draw();
    });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      camera.distance = Math.min(Math.max(camera.distance * Math.exp(event.deltaY * 0.001), 0.3), 8);
      draw();
    }, { passive: false });
    canvas.addEventListener("dblclick", () => {
      Object.assign(camera, { yaw: page.focus.yaw, pitch: 0, distance: 1 });
      draw();
    });
    addEventListener("resize", draw);
  }

  function openSound() {
    element("sound-label").hidden = !page.sound;
    if (!page.sound) return;
    sound = new Audio(URL.createObjectURL(new Blob([array(Uint8Array, page.sound.bytes)], { type: page.sound.type })));
    sound.addEventListener("error", () => {
      tell("This browser cannot play the sound; the face moves without it.");
      sound = null;
    });
  }

  function start() {
    if (!gl) {
      tell("This browser has no WebGL 2, which the face is drawn with.");
      return;
    }
    try {
      program = compile();
      parts.forEach(upload);
    } catch (error) {
      tell(`The face cannot be drawn: ${error.message}`);
    }
  }

  element("about").textContent = page.about;
  element("time").max = page.duration;
  openSound();
  listChannels();
  listen();
  start();
  draw();
  return { play, pause, seek, time, values, parts, playing: () => playing };
})();
