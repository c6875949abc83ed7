// Both voices over the last seconds: the user above the line, the agent below, time running left.

import { fraction } from './levels.js';

const SPAN_MS = 20_000;
const STEP_MS = 100;
const COLUMNS = SPAN_MS / STEP_MS;

export class Strip {
  #canvas;
  #columns = [];
  #colours = {};
  #nextMs = 0;
  #nowMs = 0;

  constructor(canvas) {
    this.#canvas = canvas;
    document.addEventListener('themechange', () => this.#readColours());
    new ResizeObserver(() => this.draw()).observe(canvas);
    this.#readColours();
  }

  /** Adds levels as they are now; the loudest of each step is kept. */
  push(nowMs, userDbfs, agentDbfs, floor) {
    this.#nowMs = nowMs;
    if (nowMs >= this.#nextMs) {
      // After a pause (a hidden page) time goes on from now.
      this.#nextMs = Math.max(this.#nextMs, nowMs - STEP_MS) + STEP_MS;
      this.#columns.push({ user: userDbfs, agent: agentDbfs, floor });
      if (this.#columns.length > COLUMNS) this.#columns.shift();
    } else {
      const last = this.#columns.at(-1);
      last.user = Math.max(last.user, userDbfs);
      last.agent = Math.max(last.agent, agentDbfs);
      last.floor = floor;
    }
    this.draw();
  }

  clear() {
    this.#columns = [];
    this.draw();
  }

  draw() {
    const canvas = this.#canvas;
    const scale = globalThis.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * scale);
    const height = Math.round(canvas.clientHeight * scale);
    if (canvas.width !== width || canvas.height !== height)
      Object.assign(canvas, { width, height });
    const context = canvas.getContext('2d');
    context.clearRect(0, 0, width, height);
    this.#drawSeconds(context, width, height, scale);
    const step = width / COLUMNS;
    // The newest column slides in while it is being filled.
    const slide = Math.min(1, Math.max(0, (this.#nextMs - this.#nowMs) / STEP_MS));
    const start = width - (this.#columns.length - slide) * step;
    const half = height / 2 - 8 * scale;
    this.#columns.forEach((column, index) => {
      const x = start + index * step;
      this.#drawFloor(context, column.floor, x, step, height, scale);
      const bar = (colour, dbfs, direction) => {
        const length = Math.max(scale, fraction(dbfs) * half);
        context.fillStyle = colour;
        context.beginPath();
        const top = height / 2 - (direction > 0 ? length : 0);
        context.roundRect(x, top, Math.max(step * 0.68, scale), length, step * 0.3);
        context.fill();
      };
      bar(this.#colours.user, column.user, 1);
      bar(this.#colours.agent, column.agent, -1);
    });
  }

  #drawSeconds(context, width, height, scale) {
    context.fillStyle = this.#colours.line;
    context.fillRect(0, height / 2 - scale / 2, width, scale);
    for (let second = 5; second < SPAN_MS / 1000; second += 5) {
      context.fillRect(width * (1 - (second * 1000) / SPAN_MS), 0, scale, height);
    }
  }

  /** A thin line along the edge of whoever holds the floor. */
  #drawFloor(context, floor, x, step, height, scale) {
    const edge = 3 * scale;
    if (['user', 'settling', 'contested', 'yielding'].includes(floor)) {
      context.fillStyle = this.#colours.user;
      context.fillRect(x, 0, step + 1, edge);
    }
    if (floor === 'agent' || floor === 'contested') {
      context.fillStyle = this.#colours.agent;
      context.fillRect(x, height - edge, step + 1, edge);
    }
    // Silent and not yet given up.
    if (floor === 'yielding') {
      context.fillStyle = this.#colours.agent;
      context.fillRect(x, height - edge, step / 2, edge);
    }
    if (floor === 'thinking') {
      context.fillStyle = this.#colours.muted;
      context.fillRect(x, height - edge, step / 2, edge);
    }
  }

  #readColours() {
    // `light-dark()` is resolved only where it is used: ask an element that uses it.
    const probe = document.createElement('i');
    document.body.append(probe);
    for (const name of ['user', 'agent', 'line', 'muted']) {
      probe.style.color = `var(--${name})`;
      this.#colours[name] = getComputedStyle(probe).color;
    }
    probe.remove();
    this.draw();
  }
}
