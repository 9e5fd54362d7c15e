const MEASURES = ['latency_ms', 'tokens', 'error'];
const FIGURES = 5;
const WIDTH = MEASURES.length * FIGURES;
/**
 * Slices keep centred moments; the job asks for Σx². Its measures are multiples of
 * 1/8, so squares lie on a grid of 1/64, and whatever is not near it is an error.
 */
const SQUARES_GRID = 64;
const GRID_DISTANCE_MAX = 0.05;

/** In place of the warehouse: no facts, the newest state of each provisional slice, windows from those. */
export class WindowStore {
  arrived = 0;
  flushes = 0;
  #events;
  #onEnd;
  /** `experiment|variant` → slice start → partition → figures of the three measures. */
  #slices = new Map();

  constructor({events, onEnd, keepsDuplicates}) {
    if (keepsDuplicates) throw new Error('DEDUP=0: a worker always removes duplicates');
    this.#events = events;
    this.#onEnd = onEnd;
  }

  async insertFacts({arrivals, deadLetters}) {
    if (deadLetters.length > 0) throw new Error(`${deadLetters.length} dead letters, the first: ${deadLetters[0].message}`);
    this.arrived += arrivals.length;
    this.flushes += 1;
    if (this.arrived >= this.#events) this.#onEnd();
  }

  async insertProvisional(_stream, slices) {
    for (const {experiment, variant, metric, sliceStart, partition, n, sum, m2, min, max} of slices) {
      const measure = MEASURES.indexOf(metric);
      const arm = entry(this.#slices, `${experiment}|${variant}`);
      const byPartition = entry(arm, sliceStart);
      const known = byPartition.get(partition) ?? new Float64Array(WIDTH);
      byPartition.set(partition, known);
      known.set([n, sum, m2, min, max], measure * FIGURES);
    }
  }

  tombstones() {
    return Promise.resolve({units: new Map(), ids: new Set()});
  }

  arrivalHigh() {
    return Promise.resolve(null);
  }

  /** Every window that holds an event, as records of the results topic. */
  windows({sizeMs, slideMs}) {
    const rows = [];
    for (const [arm, bySlice] of this.#slices) {
      const windows = new Map();
      for (const [sliceStart, byPartition] of bySlice) {
        const slice = emptyFigures();
        for (const part of byPartition.values()) merge(slice, part);
        for (let start = sliceStart; start > sliceStart - sizeMs; start -= slideMs) {
          const window = windows.get(start) ?? emptyFigures();
          windows.set(start, window);
          merge(window, slice);
        }
      }
      for (const [start, figures] of windows) rows.push({key: `${arm}|${start}`, value: asked(figures)});
    }
    return rows;
  }
}

function entry(map, key) {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = new Map();
  map.set(key, made);
  return made;
}

function emptyFigures() {
  const figures = new Float64Array(WIDTH);
  for (let at = 0; at < WIDTH; at += FIGURES) {
    figures[at + 3] = Number.POSITIVE_INFINITY;
    figures[at + 4] = Number.NEGATIVE_INFINITY;
  }
  return figures;
}

/** Chan's formula, as cells of provisional slices merge. */
function merge(into, part) {
  for (let at = 0; at < WIDTH; at += FIGURES) {
    const [n, m] = [into[at], part[at]];
    if (m === 0) continue;
    if (n > 0) {
      const apart = part[at + 1] / m - into[at + 1] / n;
      into[at + 2] += (apart * apart * n * m) / (n + m);
    }
    into[at] += m;
    into[at + 1] += part[at + 1];
    into[at + 2] += part[at + 2];
    if (part[at + 3] < into[at + 3]) into[at + 3] = part[at + 3];
    if (part[at + 4] > into[at + 4]) into[at + 4] = part[at + 4];
  }
}

/** n, Σx, Σx², min, max of each measure, big-endian. */
function asked(figures) {
  const view = new DataView(new ArrayBuffer(WIDTH * 8));
  for (let at = 0; at < WIDTH; at += FIGURES) {
    const [n, sum, m2] = [figures[at], figures[at + 1], figures[at + 2]];
    const fine = (m2 + (sum * sum) / n) * SQUARES_GRID;
    const squares = Math.round(fine);
    if (Math.abs(fine - squares) > GRID_DISTANCE_MAX) throw new Error(`a sum of squares of ${fine / SQUARES_GRID} is off the grid`);
    const asIs = [n, sum, squares / SQUARES_GRID, figures[at + 3], figures[at + 4]];
    for (const [index, value] of asIs.entries()) view.setFloat64((at + index) * 8, value);
  }
  return new Uint8Array(view.buffer);
}
