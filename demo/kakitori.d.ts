/** Handwritten Japanese characters in a page; the comments in kakitori.js say more. */

/** A stroke: points [x, y] as the pen moves, y down, in any units. */
export type Stroke = number[][];

export type ErrorCode =
  | "no-simd"
  | "not-loaded"
  | "empty"
  | "no-image"
  | "too-large"
  | "no-frame"
  | "no-candidates"
  | "no-prior"
  | "no-class"
  | "no-memory"
  | "closed"
  | "failed";

export class KakitoriError extends Error {
  readonly code: ErrorCode;
}

export interface Candidate {
  character: string;
  /** Calibrated, 0 to 1. */
  probability: number;
}

export interface Answer {
  /** Best first; characters that look alike stand together. */
  candidates: Candidate[];
  /** Whether the first is as probable as answers of which 99.5 % were right on validation. */
  sure: boolean;
  /** Of the character `meant`; null where it is no candidate. */
  meant: (Candidate & { rank: number }) | null;
}

export interface RecogniseOptions {
  /** How many candidates; 10. */
  top?: number;
  /** A character of which the probability is wanted anyway. */
  meant?: string;
  /** Of strokes: the side of the area that was there to write in, in their units. */
  frame?: number;
  /** Names of alphabets, characters, or both, joined by +; all where it is "". */
  candidates?: string;
  /** "text" weighs characters by how often they are written. */
  prior?: "" | "text";
}

export type Input = Stroke[] | Blob | ImageData | ImageBitmap;

export interface Kakitori {
  readonly classes: string[];
  /** Side of the model's input in pixels. */
  readonly size: number;
  readonly temperature: number;
  readonly threshold: number;
  readonly background: number;
  /** Characters of each named alphabet that are classes. */
  readonly alphabets: Record<string, string>;
  readonly priors: Record<string, number[]>;
  /** How the shipped model came about; null for another. */
  readonly version: Record<string, unknown> | null;
  recognise(input: Input, options?: RecogniseOptions): Promise<Answer>;
  /** What the model is shown: size × size levels, 255 = ink. */
  preprocess(input: Input): Promise<Uint8Array>;
  /** Takes an input for what someone says that it is. */
  learn(input: Input, character: string): Promise<void>;
  /** Forgets what it was told of a character, or all. */
  forget(character?: string): Promise<void>;
  /** What it was told, as the text of a small file. */
  saveMemory(): Promise<string>;
  loadMemory(text: string): Promise<void>;
  close(): void;
}

export interface LoadOptions {
  folder?: string | URL;
  threads?: number;
  model?: string;
}

export function load(options?: LoadOptions): Promise<Kakitori>;

export type Way = Stroke[] | number[];

export interface Reference {
  strokes: Stroke[];
  /** Other right ways to write it: strokes, or the order in which those before them come, numbers
   * from 0, ~k for stroke k from its end. */
  ways: Way[];
  /** Whether order and direction are true. */
  ordered: boolean;
  source: string;
  credit: string;
}

export type Characters = Map<string, Reference> & { same: string[]; confused: string[] };

export function loadCharacters(options?: { folder?: string | URL }): Promise<Characters>;

export type Judged = "shape" | "count" | "order" | "direction";
export const STRICTNESS: Judged[];
export const USUAL: Judged[];

/** Strokes are numbered from 1. */
export interface Match {
  accepted: boolean;
  judged: Judged[];
  way: number;
  missing: number[];
  extra: number[];
  joined: number[][];
  split: number[][];
  swapped: number[][];
  early: number[];
  late: number[];
  reversed: number[];
  alike: string | null;
  differs: { what: string; strokes: number[] } | null;
  /** For each stroke of the reference the drawn one. */
  drawn: (number | null)[];
  distances: (number | null)[];
}

export interface MatchOptions {
  ordered?: boolean;
  ways?: Way[];
  alike?: Map<string, Stroke[]>;
  judged?: Judged[];
}

export function match(drawn: Stroke[], reference: Stroke[], options?: MatchOptions): Match;

/** The strokes of one of the ways to write a character, as `match` numbers them. */
export function strokesOf(reference: Stroke[], ways: Way[], way: number): Stroke[];

/** The characters that look most like one, with their strokes, for `match`. */
export function lookAlikes(
  character: string,
  table: Characters,
  same?: string[],
  confused?: string[],
): Map<string, Stroke[]>;
