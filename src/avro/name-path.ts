import type {BodyReader} from './body-reader.ts';

const NODES_MAX = 4_096;

type Tree = {root: NamePath | undefined; nodes: number};

/** Names of measures in the order in which they follow each other in a record; two records with the same share the list. */
export type MeasureNames = readonly string[];

/**
 * One node of a tree of such lists, one level per name: a record walks down from
 * the root. Records of one sender have the same names in the same order, so the
 * child that came last is tried first, by its bytes, before anything is looked up.
 *
 *     root ─ latency_ms ─ tokens ─ error
 *                       └ cost_usd
 */
export class NamePath {
  readonly names: MeasureNames;
  /** Of the last name: its length and its letters, as they lie in a record. */
  readonly #bytes: Uint8Array;
  readonly #tree: Tree;
  readonly #children = new Map<string, NamePath>();
  #likely: NamePath | undefined;

  private constructor(names: MeasureNames, bytes: Uint8Array, tree: Tree) {
    this.names = names;
    this.#bytes = bytes;
    this.#tree = tree;
  }

  static root(): NamePath {
    const tree: Tree = {root: undefined, nodes: 0};
    tree.root = new NamePath([], new Uint8Array(0), tree);
    return tree.root;
  }

  /** Reads the next name; undefined when it was there before. @throws DecodeFault as reading a name does */
  next(reader: BodyReader): NamePath | undefined {
    const likely = this.#likely;
    if (likely !== undefined && reader.skipIf(likely.#bytes)) return likely;
    const start = reader.position;
    const name = reader.key();
    const known = this.#children.get(name);
    if (known !== undefined) {
      this.#likely = known;
      return known;
    }
    if (this.names.includes(name)) return undefined;
    const child = new NamePath([...this.names, name], reader.bytes.slice(start, reader.position), this.#tree);
    this.#makeRoom();
    this.#children.set(name, child);
    this.#likely = child;
    return child;
  }

  /** Senders that make up names must not fill the memory: a full tree is begun anew. */
  #makeRoom(): void {
    const {root} = this.#tree;
    if (this.#tree.nodes >= NODES_MAX && root !== undefined) {
      root.#children.clear();
      root.#likely = undefined;
      this.#tree.nodes = 0;
    }
    this.#tree.nodes += 1;
  }
}
