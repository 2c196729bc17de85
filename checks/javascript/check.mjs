/**
 * Whether onnxruntime's JavaScript packages compute what lyricgen computes in Python, and write the same
 * song.
 *
 *     node check.mjs MODEL CARD.json STEPS.json
 *
 * CARD.json is what `lyricgen-run --model MODEL --info --format json` prints, STEPS.json what
 * `python -m checks.reference --model MODEL --output STEPS.json` writes: each step is given the state that
 * Python had before it, so that differences do not build up. Prints for each package the largest difference
 * of a score, and whether the model's golden song comes out. Exits with 1 if the scores differ, or a song
 * that must be the same.
 */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import process from "node:process";

import { generate, load } from "./lyricgen.mjs";

/** In which precisions each package must write Python's golden song. */
const SAME_SONG = {
  "onnxruntime-web": ["fp32"], // in int8 only if the machine computes as Python's: docs/javascript.md
  "onnxruntime-node": ["fp32", "int8"],
};

/** Largest difference, as a share of max(1, |value|). */
const TOLERANCE = { fp32: 1e-4, int8: 1e-5 };

/**
 * In int8, a hidden value halfway between two whole numbers may be read as either; `checks/reference.py`
 * says why. Scores may then be this far apart, in at most this share of the steps of a song.
 */
const ONE_UNIT = 0.1;
const MAX_SHARE = { fp32: 0, int8: 0.02 };

/** Return a difference as a share of max(1, |value|). */
function share(found, expected) {
  return Math.abs(found - expected) / Math.max(1, Math.abs(expected));
}

/** Return for each step of each song the largest difference of a score. */
async function differences(model, { tokens, states, logits }) {
  const found = [];
  for (const [step, row] of tokens.entries()) {
    for (const [song, token] of row.entries()) {
      const ofSong = (part) => Float32Array.from(part.flatMap((layer) => layer[song]));
      const [hidden, cell] = states[step].map(ofSong);
      const { logits: scores } = await model.step(token, model.state(hidden, cell));
      found.push(Math.max(...logits[step][song].map((score, n) => share(scores[n], score))));
    }
  }
  return found;
}

/** Print how far the scores are from Python's; return whether that is near enough. */
function reportSteps(found, precision) {
  const apart = found.filter((difference) => !(difference <= TOLERANCE[precision])); // NaN too
  const allowed = Math.floor(MAX_SHARE[precision] * found.length);
  console.log(`  scores differ by at most ${Math.max(...found).toExponential(1)} in ${found.length} steps`);
  const limit = TOLERANCE[precision].toExponential();
  console.log(`  by more than ${limit}: ${apart.length} steps (allowed: ${allowed})`);
  return apart.length <= allowed && apart.every((difference) => difference <= ONE_UNIT);
}

/** Print whether the golden song comes out; return that. */
async function reportSong(model) {
  const { seed, temperature, max_length: maxLength, sha256 } = model.card.golden_song;
  const { text } = await generate(model, { seed, temperature, maxLength });
  const found = createHash("sha256").update(text, "utf8").digest("hex");
  const same = found === sha256;
  console.log(`  golden song: ${same ? "the same" : "different"}, sha256 ${found.slice(0, 16)}…`);
  return same;
}

async function check(name, bytes, card, steps) {
  const ort = await import(name);
  ort.env.wasm.numThreads = 1;
  console.log(`${name} ${ort.env.versions.web ?? ort.env.versions.node}`);
  const model = await load(ort, bytes, card);
  const near = reportSteps(await differences(model, steps), card.precision);
  const same = await reportSong(model);
  return near && (same || !SAME_SONG[name].includes(card.precision));
}

async function main(paths) {
  if (paths.length !== 3) throw new Error("usage: node check.mjs MODEL CARD.json STEPS.json");
  const [bytes, card, steps] = await Promise.all(paths.map((path) => readFile(path)));
  let passed = true;
  for (const name of Object.keys(SAME_SONG)) {
    passed = (await check(name, new Uint8Array(bytes), JSON.parse(card), JSON.parse(steps))) && passed;
  }
  console.log(passed ? "pass" : "fail");
  return passed ? 0 : 1;
}

process.env.ORT_DISABLE_TELEMETRY ??= "1"; // read when onnxruntime is loaded
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
