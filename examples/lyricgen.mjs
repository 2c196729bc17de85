/**
 * Writes songs with a model file in JavaScript: the same songs as lyricgen in Python.
 *
 * Needs onnxruntime, which the caller passes in: the module onnxruntime-web or onnxruntime-node.
 * Tensors: one song, L layers, H hidden size; the state is (L, 1, H), the scores are (1, units).
 */

const FORMATS = [1, 2];
const KEY_PREFIX = "lyricgen.";
const METADATA = 14; // field of an ONNX file: its string properties
const SOS = 0;
const MAX_TEMPERATURE = 100;
const DEFAULT_MAX_LENGTH = 6000;

/** What stands in for typographic characters that a model does not know. */
const PLAIN = new Map([
  ["‘", "'"],
  ["’", "'"],
  ["ʼ", "'"],
  ["`", "'"],
  ["“", '"'],
  ["”", '"'],
  ["–", "-"],
  ["—", "-"],
  ["\u00a0", " "],
  ["\t", " "],
  ["…", "..."],
]);

/** A model file, opened. Make one with `load`. Songs may be written at the same time, each has its state. */
export class Model {
  constructor(ort, session, card) {
    this.ort = ort;
    this.session = session;
    this.card = card;
    /** Token id of each character. */
    this.idOf = new Map(card.characters.map((character, n) => [character, card.eos + 1 + n]));
  }

  /** Return the state that songs start from. */
  zeroState() {
    const { layers, hidden_size: size } = this.card;
    return this.state(new Float32Array(layers * size), new Float32Array(layers * size));
  }

  /** Return numbers, layer after layer, as a state for `step`. */
  state(hidden, cell) {
    const shape = [this.card.layers, 1, this.card.hidden_size];
    const tensor = (numbers) => new this.ort.Tensor("float32", numbers, shape);
    return { hidden: tensor(hidden), cell: tensor(cell) };
  }

  /** Read a token; return the scores of what comes next (a Float32Array) and the state after it. */
  async step(token, state) {
    const tokens = new this.ort.Tensor("int64", BigInt64Array.of(BigInt(token)), [1]);
    const result = await this.session.run({ token: tokens, hidden: state.hidden, cell: state.cell });
    return { logits: result.logits.data, state: { hidden: result.next_hidden, cell: result.next_cell } };
  }

  /** Turn text into token ids; throws a RangeError that names the first character the model never saw. */
  encode(text) {
    return [...text.normalize("NFC")].flatMap((character) => {
      const plain = this.idOf.has(character) ? character : (PLAIN.get(character) ?? character);
      const tokens = [...plain].map((known) => this.idOf.get(known));
      if (tokens.includes(undefined)) {
        throw new RangeError(`the model has never seen ${JSON.stringify(character)}`);
      }
      return tokens;
    });
  }

  /** Turn the token id of a character back into it. */
  decode(token) {
    return this.card.characters[token - this.card.eos - 1];
  }
}

/**
 * Open a model.
 *
 * @param ort the module onnxruntime-web or onnxruntime-node
 * @param {Uint8Array} bytes the model file
 */
export async function load(ort, bytes) {
  const card = readCard(bytes);
  // Nothing is optimised, as in Python, so that what computes is what the file holds.
  const session = await ort.InferenceSession.create(bytes, { graphOptimizationLevel: "disabled" });
  return new Model(ort, session, card);
}

/** Return what a model file says about itself: the JSON of its string properties, named without prefix. */
export function readCard(bytes) {
  const card = {};
  for (const [field, property] of fields(bytes)) {
    if (field !== METADATA) continue;
    const [key, value] = [...fields(property)].map(([, text]) => new TextDecoder().decode(text));
    if (key.startsWith(KEY_PREFIX)) card[key.slice(KEY_PREFIX.length)] = JSON.parse(value);
  }
  if (!FORMATS.includes(card.format)) {
    throw new Error(`this is no model file of lyricgen that is read here: format ${card.format}, not ${FORMATS.join(" or ")}`);
  }
  return card;
}

/** Yield the number and the bytes of each field of a protocol buffer; numbers, which hold nothing, are null. */
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error("this is no model file, or only the beginning of one");
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const isNumber = key % 8 === 0;
    if (!isNumber && key % 8 !== 2) throw new Error("this is no model file");
    const value = varint(); // of a field that is no number: its length
    yield [Math.floor(key / 8), isNumber ? null : bytes.subarray(at, at + value)];
    if (!isNumber) at += value;
  }
}

/**
 * Write a song, and return it whole: its text, and "eos" if the model ended it or "length" if it was cut.
 * For the options see `stream`.
 */
export async function generate(model, options) {
  const lines = stream(model, options);
  let text = "";
  for (;;) {
    const { value, done } = await lines.next();
    if (done) return { text, finished: value };
    text += value;
  }
}

/**
 * Write a song line by line; a line comes once it is whole, because a song that reaches its maximum length
 * is cut back to its last whole line. Returns "eos" or "length".
 *
 * @param options
 *   seed: the same seed gives the same song; from 0 to 2**64 - 1, above 2**53 as a BigInt.
 *   index: which of the seed's songs; 0 if left out.
 *   temperature: from 0 to 100; what the model suggests if left out.
 *   title: one line; for models that write titles (card.title_line).
 *   prompt: how the song begins, after its title.
 *   style: one of card.styles, spelled as there; "": none; what the model suggests if left out.
 *   maxLength: characters after which to stop, the prompt's included; 6000 if left out.
 */
export async function* stream(model, options) {
  const plan = planSong(model, options);
  let line = plan.prefix.map((token) => model.decode(token)).join(""); // not handed out yet
  let firstLine = true;
  for await (const token of write(model, plan)) {
    if (token === model.card.eos) {
      yield line;
      return "eos";
    }
    const character = model.decode(token);
    if (character === "\n" && /[^\n]/.test(line)) {
      yield line;
      line = "";
      firstLine = false;
    }
    line += character;
  }
  if (firstLine) yield line; // no whole line to cut back to
  return "length";
}

/**
 * Yield the token ids of a song after its prefix (title and prompt), until EOS (yielded too) or the maximum length.
 * After that many characters the song may still end: only a further character is refused.
 */
export async function* write(model, plan) {
  const { eos } = model.card;
  const given = [SOS, ...plan.style, ...plan.prefix];
  let token = given.pop();
  let state = model.zeroState();
  for (const before of given) ({ state } = await model.step(before, state));
  for (let position = plan.prefix.length; position <= plan.maxLength; position++) {
    let logits;
    ({ logits, state } = await model.step(token, state));
    const unit = draw(logits, plan.temperature, uniform(plan.seed, plan.index, BigInt(position)));
    if (unit === 0) {
      yield eos;
      return;
    }
    if (position < plan.maxLength) {
      token = unit + eos;
      yield token;
    }
  }
}

/** Check the options of a song, and fill in those that were left out. */
function planSong(model, options) {
  const { seed, index = 0, title, prompt = "", style, maxLength = DEFAULT_MAX_LENGTH } = options;
  const { temperature = model.card.suggested_temperature } = options;
  const prefix = [...titleTokens(model, title), ...model.encode(prompt.replace(/\r\n?/g, "\n"))];
  expect(temperature >= 0 && temperature <= MAX_TEMPERATURE, "temperature", `from 0 to ${MAX_TEMPERATURE}`);
  const shortest = Math.max(1, prefix.length);
  expect(Number.isInteger(maxLength) && maxLength >= shortest, "maxLength", `whole, at least ${shortest}`);
  return {
    prefix,
    style: styleTokens(model.card, style, word("seed", seed) + word("index", index)),
    temperature,
    maxLength,
    seed: word("seed", seed),
    index: word("index", index),
  };
}

function titleTokens(model, title) {
  if (title === undefined || title.trim() === "") return [];
  expect(model.card.title_line, "title", "left out: this model's songs have no titles");
  expect(!/[\n\r]/.test(title.trim()), "title", "one line");
  return model.encode(title.trim().replace(/\s+/g, " ") + "\n\n");
}

/** Return the token of a style, if there is one; songs take those that the model suggests in turns. */
function styleTokens({ styles, suggested_styles: suggested = [] }, name, turn) {
  const chosen = name ?? suggested[Number(turn % BigInt(suggested.length || 1))] ?? "";
  if (chosen === "") return [];
  expect(styles.includes(chosen), "style", `one of ${JSON.stringify(styles)}`);
  return [1 + styles.indexOf(chosen)];
}

/** Return a whole number from 0 to 2**64 - 1 as a BigInt. */
function word(name, value) {
  const exact = typeof value === "bigint" || Number.isSafeInteger(value);
  const fits = exact && BigInt.asUintN(64, BigInt(value)) === BigInt(value);
  expect(fits, name, "whole, from 0 to 2**64 - 1, and a BigInt above 2**53");
  return BigInt(value);
}

function expect(fulfilled, option, range) {
  if (!fulfilled) throw new RangeError(`${option} must be ${range}`);
}

/**
 * Draw an output unit from softmax(logits / temperature).
 *
 * @param {Float32Array} logits scores; all arithmetic is in 64 bits
 * @param {number} temperature 0 takes the highest score, the first of equals
 * @param {number} random in [0, 1): where it falls in the cumulated distribution
 */
export function draw(logits, temperature, random) {
  if (!logits.every(Number.isFinite)) throw new Error("a score is not finite: the weights are damaged");
  const highest = logits.reduce((one, other) => Math.max(one, other));
  const top = logits.indexOf(highest);
  if (temperature === 0) return top;
  const shares = Array.from(logits, (score) => Math.exp((score - highest) / temperature));
  const target = random * shares.reduce((total, share) => total + share, 0);
  let passed = 0;
  for (const [unit, share] of shares.entries()) {
    passed += share;
    if (passed > target) return unit;
  }
  return top; // only where rounding left the sum at or below the target
}

const LOW = 0xffffffffn;

/** Return the random number in [0, 1) that decides a character of a song; 53 bits. All are BigInts. */
export function uniform(seed, song, position) {
  const counter = [position & LOW, position >> 32n, song & LOW, song >> 32n];
  const [high, low] = philox(counter, [seed & LOW, seed >> 32n]);
  return Number(((high << 32n) | low) >> 11n) / 2 ** 53;
}

/** Return four random 32-bit words for a counter of four words and a key of two: Philox 4x32-10. */
export function philox([a, b, c, d], [key0, key1]) {
  for (let round = 0; round < 10; round++) {
    const first = 0xd2511f53n * a;
    const second = 0xcd9e8d57n * c;
    [a, b, c, d] = [(second >> 32n) ^ b ^ key0, second & LOW, (first >> 32n) ^ d ^ key1, first & LOW];
    key0 = (key0 + 0x9e3779b9n) & LOW;
    key1 = (key1 + 0xbb67ae85n) & LOW;
  }
  return [a, b, c, d];
}
