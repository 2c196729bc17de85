/**
 * Writes songs with a model file in Node.js.
 *
 *     node write_songs.mjs MODEL [--seed 7] [--temperature 0.75] [--title "Low Moon"] [--prompt "The moon"]
 *          [--style folk] [--samples 3] [--max-length 6000] [--format text|jsonl] [--package onnxruntime-web]
 *
 * Songs go to stdout, all else to stderr. Uses onnxruntime-node or, if it is not installed, onnxruntime-web.
 */

import { readFile } from "node:fs/promises";
import process from "node:process";
import { parseArgs } from "node:util";

import { generate, load } from "./lyricgen.mjs";

const PACKAGES = ["onnxruntime-node", "onnxruntime-web"];
const NUMBERS = ["temperature", "max-length", "samples"];
const TEXTS = ["seed", "title", "prompt", "style", "format", "package"];

process.env.ORT_DISABLE_TELEMETRY ??= "1"; // read when onnxruntime is loaded
try {
  await main();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}

async function main() {
  const names = [...NUMBERS, ...TEXTS];
  const options = Object.fromEntries(names.map((name) => [name, { type: "string" }]));
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  if (positionals.length !== 1) throw new Error("usage: node write_songs.mjs MODEL [--seed 7] ...");
  for (const name of NUMBERS) if (name in values) values[name] = Number(values[name]);
  const seed = BigInt(values.seed ?? Math.floor(Math.random() * 1e9));
  console.error(`seed ${seed}`);
  const ort = await importOnnxruntime(values.package ? [values.package] : PACKAGES);
  const model = await load(ort, new Uint8Array(await readFile(positionals[0])));
  for (let index = 0; index < (values.samples ?? 1); index++) {
    const song = await generate(model, { ...values, maxLength: values["max-length"], seed, index });
    if (values.format === "jsonl") console.log(JSON.stringify({ index, ...song }));
    else console.log((index ? "\n" : "") + song.text);
  }
}

/** Return the first of these packages that is installed, as a module. */
async function importOnnxruntime(names) {
  for (const name of names) {
    try {
      const ort = await import(name);
      ort.env.wasm.numThreads = 1; // one step gains nothing from more
      return ort;
    } catch (error) {
      if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    }
  }
  throw new Error(`${names.join(" or ")} is not installed: npm install --ignore-scripts ${names[0]}`);
}
