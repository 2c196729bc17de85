// The studio's page: a song is stanzas of lines; what the model writes, suggests and hears comes from /api.
//
// song   = { id, title, stanzas, wishes }
// stanza = { id, label, lines, again }      again: the id of a stanza that comes back here, with its lines
// line   = { id, text, locked }             an empty text is a gap
// wishes = values of the fields at the side, by their ids

const $ = (id) => document.getElementById(id);
const STORE = "lyricgen.song.";
const LAST = "lyricgen.last";
const MOST_UNDO = 300;
const MOST_CHARACTERS = 300; // of a line, as in drafts
const SAME_CHANGE_MS = 1200;
const SCORE_AFTER_MS = 350;
const SAID_MS = 8000;
const SUGGESTIONS = 8;
const RHYMES = 30;
const REWRITE_AMONG = 4; // a line that is written anew is one of so many best
const GONE = "The studio does not answer: is it still running in the terminal?";
const CHORUS = /^(chorus|refrain)\b/i;
const HEADING = /^((?:pre-?chorus|chorus|refrain|verse|bridge|hook|intro|outro)(?: \d{1,2})?):?$/i;
const LOCKED = "The line is locked.";
const LABEL = /^\[([^\]]{1,60})\]$/;
const DOTS = /(^|\s)\.\.\.(\s|$)/; // a gap, as in drafts
const CHORD = /\[(?:[A-H][#b]?(?:m|maj|min|dim|aug|sus|add|\d|[+()°-]|\/[A-H][#b]?)*|N\.?C\.?)\]/g; // of ChordPro
const NEW_STANZA_LINES = 4;

const store = safeStorage();
let card = {};
let song = newSong();
let undone = [];
let done = [];
const histories = new Map(); // what can be undone and redone of songs that are not shown, by their ids
let lastChange = { key: "", at: 0 };
let rewriting = Promise.resolve(); // the lines that are written anew, one after the other
let stopped = 0; // how often work was stopped
let working = null; // the AbortController of the request that is on its way
let choosing = null; // { line, options, take, at, list } while a list is open
let unsettled = 0; // how many of the last lines may still change while a song is written
let saying = 0;
const scoring = { timer: 0, number: 0, problem: null };
let heard = new Map(); // what the model hears in each line, by its id

/** The browser's storage; one that forgets where that is blocked. */
function safeStorage() {
  try {
    localStorage.setItem("lyricgen.try", "1");
    localStorage.removeItem("lyricgen.try");
    return localStorage;
  } catch {
    const kept = new Map();
    return {
      get length() {
        return kept.size;
      },
      key: (n) => [...kept.keys()][n],
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => kept.set(key, value),
      removeItem: (key) => kept.delete(key),
    };
  }
}

function newId() {
  return Math.random().toString(36).slice(2, 10);
}

function newLine(text = "") {
  return { id: newId(), text: text.replace(/\p{C}/gu, "").slice(0, MOST_CHARACTERS), locked: false };
}

function newStanza(texts, label = "") {
  return { id: newId(), label, again: null, lines: texts.map((text) => newLine(text)) };
}

function newSong() {
  return { id: newId(), title: "", stanzas: [], wishes: {} };
}

function isGap(line) {
  return !line.locked && (!line.text.trim() || DOTS.test(line.text));
}

function linesOf(stanza) {
  return stanza.again ? song.stanzas.find((one) => one.id === stanza.again)?.lines ?? [] : stanza.lines;
}

/** What a stanza says: its lines without gaps. */
function textsOf(stanza) {
  return linesOf(stanza).map((line) => line.text.trim()).filter((text) => text);
}

/** A stanza as texts have it. */
function block(label, texts) {
  return [...(label ? [`[${label}]`] : []), ...texts].join("\n");
}

/** All lines in the order in which they are sung, those that come back included. */
function sung() {
  return song.stanzas.flatMap((stanza) => linesOf(stanza).map((line) => ({ stanza, line })));
}

function hasGaps() {
  return sung().some(({ line }) => isGap(line));
}

/** The line with an id, as it is now. */
function lineOf(id) {
  return song.stanzas.flatMap((stanza) => stanza.lines).find((line) => line.id === id);
}

/** The line with an id, unless it says something else by now, or is locked. */
function asItWas(id, was) {
  const line = lineOf(id);
  return line?.text === was && !line.locked ? line : null;
}

/** The number of a line as the server counts it, from 1. */
function numberOf(line) {
  return sung().findIndex((one) => one.line === line) + 1;
}

function place(line) {
  const stanza = song.stanzas.find((one) => one.lines.includes(line));
  return { stanza, at: stanza.lines.indexOf(line) };
}

/** Names of stanzas as drafts have them: letters alone, and none twice. */
function draftNames() {
  const taken = new Set();
  const names = new Map();
  for (const stanza of song.stanzas.filter((one) => !one.again)) {
    const isSungAgain = song.stanzas.some((one) => one.again === stanza.id);
    let name = /\p{L}+(?:[ -]\p{L}+)*/u.exec(stanza.label)?.[0] ?? (isSungAgain ? "Refrain" : "");
    while (name && taken.has(name.toLowerCase())) name += " again";
    taken.add(name.toLowerCase());
    names.set(stanza.id, name);
  }
  return names;
}

/** The song as a text with gaps, as `lyricgen suggest` reads it. */
function draftText() {
  const names = draftNames();
  const parts = song.stanzas.map((stanza, n) => {
    const looksLikeTitle = !n && !song.title.trim() && stanza.lines.length === 1 && song.stanzas.length > 1;
    const label = names.get(stanza.again ?? stanza.id) || (looksLikeTitle ? "Verse" : "");
    return block(label, stanza.again ? [] : stanza.lines.map((line) => line.text.trim() || "..."));
  });
  return [song.title.trim(), ...parts].filter((part) => part).join("\n\n");
}

/** The song as people read it: without gaps, with what comes back written out. */
function plainText() {
  const parts = song.stanzas.map((stanza) => [stanza.label, textsOf(stanza)]);
  const blocks = parts.filter(([, texts]) => texts.length).map(([label, texts]) => block(label, texts));
  return [song.title.trim(), ...blocks].filter((part) => part).join("\n\n") + "\n";
}

/** Take a text apart: a title if an empty line follows the first one, labels in brackets, dots as gaps. */
function songOf(text) {
  const found = newSong();
  let parts = text.trim().split(/\n[ \t]*\n+/).map((part) => part.split("\n"));
  parts = parts.map((lines) => lines.map((line) => line.trim()).filter((line) => line));
  if (parts.length > 1 && parts[0].length === 1 && !LABEL.test(parts[0][0])) {
    found.title = parts.shift()[0];
  }
  for (const lines of parts) {
    const label = (LABEL.exec(lines[0] ?? "") ?? (lines.length > 1 && HEADING.exec(lines[0])) ?? [])[1] ?? "";
    if (label) lines.shift();
    append(found.stanzas, label, lines.flatMap((line) => (line === "..." ? "" : partedLine(line))));
  }
  return found;
}

/** Append a stanza to others; one of them comes back if it has the same name and says the same, or is named alone. */
function append(stanzas, label, texts) {
  const isSame = (lines) => !texts.length || lines.map((line) => line.text).join("\n") === texts.join("\n");
  const earlier = label && stanzas.find((one) => !one.again && one.label === label && isSame(one.lines));
  if (earlier) stanzas.push({ ...newStanza([], label), again: earlier.id });
  else if (texts.length) stanzas.push(newStanza(texts, label));
}

/** A line that is longer than a line may be, as several; nothing of it is lost. */
function partedLine(text) {
  if (text.length <= MOST_CHARACTERS) return [text];
  const space = text.lastIndexOf(" ", MOST_CHARACTERS);
  const end = space > 0 ? space : MOST_CHARACTERS;
  return [text.slice(0, end), ...partedLine(text.slice(end).trim())];
}

/** The stanzas of a text without a title. */
function stanzasOf(text) {
  return text.trim() ? songOf(`-\n\n${text}`).stanzas : [];
}

/** Take over a song that the server wrote; with a form, a stanza that is sung again comes back. */
function takeOver(written) {
  const [title, body] = titleAndBody(written.text);
  song.title = title;
  song.stanzas = written.lines ? [] : stanzasOf(body);
  if (!written.lines) return;
  const groups = new Map();
  for (const line of written.lines) {
    if (!groups.has(line.stanza)) groups.set(line.stanza, []);
    groups.get(line.stanza).push(line);
  }
  for (const lines of groups.values()) {
    const label = lines[0].section && lines[0].section !== "verse" ? capitalised(lines[0].section) : "";
    append(song.stanzas, label, lines.map((line) => line.text));
  }
}

function capitalised(word) {
  return word.slice(0, 1).toUpperCase() + word.slice(1).replace(/[_-]/g, " ");
}

/** Keep the song as it is for undo, unless a change of the same `key` was just kept; tell whether it was. */
function remember(key = "") {
  const now = Date.now();
  const isNew = !key || key !== lastChange.key || now - lastChange.at > SAME_CHANGE_MS;
  if (isNew) done = [...done, snapshot()].slice(-MOST_UNDO);
  lastChange = { key, at: now };
  undone = [];
  return isNew;
}

/** Change the song so that it can be undone; changes of one `key` in quick succession are one. */
function change(make, key = "") {
  remember(key);
  make();
  save();
  if (!key) render();
  else refresh();
  scoreSoon();
}

function snapshot() {
  return JSON.stringify({ title: song.title, stanzas: song.stanzas, wishes: song.wishes });
}

function goBack(from, to, said) {
  if (!from.length) return;
  cancel();
  to.push(snapshot());
  song = { ...song, ...JSON.parse(from.pop()) };
  lastChange = { key: "", at: 0 };
  save();
  showWishes();
  render();
  scoreSoon();
  say(said);
}

function save() {
  try {
    if (song.title || song.stanzas.length) store.setItem(STORE + song.id, JSON.stringify(song));
    else store.removeItem(STORE + song.id);
    store.setItem(LAST, song.id);
  } catch {
    problem("The browser keeps no more songs: export this one, and delete some.");
  }
}

function storedSongs() {
  const found = [];
  for (let n = 0; n < store.length; n++) {
    const key = store.key(n);
    if (!key.startsWith(STORE)) continue;
    try {
      const stored = JSON.parse(store.getItem(key));
      if (stored.stanzas.every((stanza) => Array.isArray(stanza.lines))) found.push(stored);
    } catch {
      // Not a song of ours; it is left alone.
    }
  }
  return found.sort((one, other) => nameOf(one).localeCompare(nameOf(other)));
}

function nameOf(one) {
  const first = one.stanzas.flatMap((stanza) => stanza.lines).find((line) => line.text);
  return one.title || first?.text || "Untitled";
}

function open(found) {
  cancel();
  show(found);
}

/** Show a song in place of the one that is shown. */
function show(found) {
  problem("");
  say("");
  histories.set(song.id, { done, undone });
  const ids = new Set(found.stanzas.map((stanza) => stanza.id));
  found.stanzas = found.stanzas.filter((stanza) => !stanza.again || ids.has(stanza.again));
  song = { wishes: {}, ...found };
  lastChange = { key: "", at: 0 };
  ({ done, undone } = histories.get(song.id) ?? { done: [], undone: [] });
  heard = new Map();
  save();
  showWishes();
  render();
  scoreSoon();
}

/** Say something to those who see and to those who hear; the same words twice are said twice. */
function say(text) {
  $("status").textContent = "";
  clearTimeout(saying);
  saying = setTimeout(() => {
    $("status").textContent = text;
    saying = setTimeout(() => ($("status").textContent = ""), SAID_MS);
  }, 30);
}

function problem(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

async function post(path, body, signal) {
  let reply;
  try {
    const headers = { "Content-Type": "application/json" };
    reply = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error(GONE);
  }
  if (!reply.ok) {
    const said = await reply.json().catch(() => null); // a server that is too busy has no JSON
    throw new Error(said?.error.message ?? `The studio answers: ${reply.status} ${reply.statusText}`);
  }
  return reply;
}

/** Yield the server-sent events of a reply, as [name, what it carries]. */
async function* events(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done: over } = await reader.read();
    if (over) return;
    text += value;
    const parts = text.split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(part);
      if (name === "error") throw new Error(JSON.parse(data).message);
      yield [name, JSON.parse(data)];
    }
  }
}

function stop() {
  working?.abort();
  working = null;
  $("sheet").inert = false;
}

/** End the work that is under way, and all that waits for its turn. */
function cancel() {
  stopped += 1;
  stop();
}

/** Do work that a click on Stop, or other work, ends. */
async function work(doing) {
  stop();
  closeChoices();
  problem("");
  const own = new AbortController();
  working = own;
  showWorking();
  try {
    await doing(own.signal);
  } catch (error) {
    if (error.name !== "AbortError") {
      problem(error.message);
    }
  } finally {
    if (working === own) working = null;
    showWorking();
  }
}

function showWorking() {
  const what = !song.stanzas.length ? "Write" : hasGaps() ? "Fill the gaps" : "Write another song";
  $("write").textContent = working ? "Stop" : what;
  $("again").hidden = !song.stanzas.length;
  $("go-on").hidden = !song.stanzas.length;
  $("again").disabled = Boolean(working);
  $("go-on").disabled = Boolean(working);
}

/** What was wished for, as options of the API. */
function wishes({ forDraft }) {
  const found = { temperature: Number($("temperature").value) };
  const form = $("form").value === "own" ? $("own-form").value : $("form").value;
  if ($("style").value !== "suggested") found.style = $("style").value;
  if (!forDraft && form) found.form = form;
  if (form !== "free" || forDraft) {
    if ($("about").value.trim()) found.about = $("about").value;
    if ($("near").checked) found.near_rhymes = true;
    if ($("original").checked) found.original = true;
  }
  return found;
}

/** A seed as a number that JavaScript holds exactly, or none. */
function seed() {
  const typed = $("seed").value.trim();
  if (!typed) return {};
  if (!/^\d{1,15}$/.test(typed)) throw new Error("The seed must be a whole number of at most 15 digits.");
  return { seed: Number(typed) };
}

const WISHES = ["about", "style", "form", "own-form", "temperature", "seed", "near", "original"];

function keepWishes(event) {
  change(() => {
    song.wishes = Object.fromEntries(WISHES.map((id) => [id, $(id).type === "checkbox" ? $(id).checked : $(id).value]));
  }, `wish ${event.target.id}`);
  showWishes();
}

function showWishes() {
  const usual = { style: "suggested", form: "", temperature: "0.8", "own-form": "verse ABAB 8,6,8,6" };
  for (const id of WISHES) {
    const value = song.wishes[id] ?? usual[id] ?? "";
    if ($(id).type === "checkbox") $(id).checked = Boolean(value);
    else $(id).value = value;
    if ($(id).tagName === "SELECT" && $(id).selectedIndex < 0) $(id).value = usual[id];
  }
  $("own-form-label").hidden = $("form").value !== "own";
  $("shown-temperature").textContent = $("temperature").value;
}

async function write() {
  if (working) {
    cancel();
    showWorking();
    say("Stopped.");
    return;
  }
  if (hasGaps()) await fill();
  else await writeNew();
}

async function writeNew() {
  const isAnother = song.stanzas.length > 0;
  const title = isAnother ? "" : song.title.trim();
  await work(async (signal) => {
    const asked = { ...wishes({ forDraft: false }), ...seed(), ...(title ? { title } : {}) };
    $("sheet").inert = true;
    let written = null; // the song that is written; another one may be shown before its end
    let text = "";
    let isWhole = false;
    try {
      const reply = await post("/api/write", asked, signal);
      if (isAnother) show({ ...newSong(), wishes: song.wishes });
      remember();
      written = song;
      for await (const [name, found] of events(reply)) {
        if (song !== written) return;
        if (name === "text") {
          text += found;
          showBegun(text, "");
        } else if (name === "open") {
          showBegun(text, found);
        } else if (name === "song") {
          isWhole = true;
          takeOver(found);
          $("seed").placeholder = `last: ${found.seed}`;
          say(`Song written, ${sung().length} lines.`);
        }
      }
    } finally {
      if (!signal.aborted) $("sheet").inert = false;
      if (song === written) {
        if (!isWhole) showBegun(text, "");
        save();
        render();
        scoreSoon();
      }
    }
  });
}

/** Take a text that the model wrote apart, as far as it has come. */
function titleAndBody(text) {
  const found = card.titles && /^([^\n]+)(?:\n\n([^]*))?$/.exec(text);
  return found ? [found[1], found[2] ?? ""] : [song.title, text];
}

/** Show as much of a song as has come: what is written, and what may still change behind it. */
function showBegun(text, unsettledText) {
  const [title, body] = titleAndBody(text + unsettledText);
  song.title = title;
  song.stanzas = stanzasOf(body);
  unsettled = unsettledText.split("\n").filter((line) => line).length;
  render();
  unsettled = 0;
}

/** Fill the gaps; with `rewrite`, the numbers of all lines that may change, also write these anew. */
async function fill(rewrite = "") {
  await work(async (signal) => {
    const asWas = sung().map(({ stanza, line }) => {
      const isOpen = !stanza.again && !line.locked && (isGap(line) || rewrite !== "");
      return { id: line.id, was: line.text, isOpen };
    });
    const asked = { ...wishes({ forDraft: true }), ...seed(), draft: draftText() };
    if (rewrite) asked.rewrite = rewrite;
    const reply = await post("/api/write", asked, signal);
    for await (const [name, found] of events(reply)) {
      if (name !== "song") continue;
      if (found.lines.length !== asWas.length) throw new Error("The song was read otherwise than it stands here.");
      change(() => asWas.forEach(({ id, was, isOpen }, n) => {
        const line = isOpen && asItWas(id, was); // not what was typed or locked meanwhile
        if (line) line.text = found.lines[n].text;
      }));
      say("Written.");
    }
  });
}

async function rewriteUnlocked() {
  const numbers = sung().flatMap(({ line, stanza }, n) => (line.locked || stanza.again ? [] : [n + 1]));
  if (numbers.length) await fill(numbers.join(","));
  else say("All lines are locked.");
}

/** Write a stanza like the last one behind it. */
async function goOn() {
  const last = song.stanzas.findLast((stanza) => !stanza.again && stanza.lines.length > 1);
  const made = newStanza(Array(last?.lines.length ?? NEW_STANZA_LINES).fill(""));
  change(() => song.stanzas.push(made));
  focus(made.lines[0]);
  await fill();
}

/** Tell whether a line may change; say so if it may not. */
function mayChange(line) {
  if (line.locked) say(LOCKED);
  return !line.locked;
}

/** The best lines for the place of one line: those of the seed that is wished for, or others each time. */
async function linesFor(line, count, signal) {
  const number = numberOf(line);
  const asked = { ...wishes({ forDraft: true }), draft: draftText(), lines: String(number), count };
  asked.seed = seed().seed ?? Math.floor(Math.random() * 1e9);
  if (!isGap(line)) asked.rewrite = String(number);
  for await (const [name, found] of events(await post("/api/suggest", asked, signal))) {
    if (name === "gap") return found.suggestions;
  }
  return [];
}

/** Write lines anew, one after the other. */
function rewriteLine({ id }) {
  const asked = stopped;
  rewriting = rewriting.then(() => (asked === stopped && lineOf(id) ? rewriteNow(lineOf(id)) : null));
}

async function rewriteNow(line) {
  if (!mayChange(line)) return;
  const was = line.text;
  await work(async (signal) => {
    const others = (await linesFor(line, SUGGESTIONS, signal)).filter((one) => one.text !== line.text);
    const other = others[Math.floor(Math.random() * Math.min(others.length, REWRITE_AMONG))];
    if (!other) throw new Error("No other line was found.");
    const now = asItWas(line.id, was);
    if (!now) return;
    change(() => {
      now.text = other.text;
    });
    say(`Line ${numberOf(now)}: ${other.text}`);
  });
}

async function suggestFor(line) {
  if (!mayChange(line)) return;
  cancel();
  await work(async (signal) => {
    const found = await linesFor(line, SUGGESTIONS, signal);
    if (!found.length) throw new Error("Nothing was found for this line.");
    const options = found.map((one) => ({
      text: one.text,
      note: `${one.syllables} syllables` + (one.rhymes ? "" : ", no rhyme") + (one.known ? ", known line" : ""),
    }));
    openChoices(line, "Suggestions", options, (chosen, text) => {
      chosen.text = text;
    });
  });
}

async function rhymesFor(line) {
  if (!mayChange(line)) return;
  const input = inputOf(line);
  const word = wordAt(line.text, input?.selectionStart ?? line.text.length);
  if (!word) {
    say("Put the cursor into a word, or behind it.");
    return;
  }
  cancel();
  const was = line.text;
  await work(async (signal) => {
    const asked = { word: word.text, near_rhymes: $("near").checked, count: RHYMES };
    const before = line.text.slice(0, word.start).trim();
    if (before) asked.after = before;
    const found = await (await post("/api/rhymes", asked, signal)).json();
    if (!asItWas(line.id, was)) return;
    if (!found.length) throw new Error(`No word that rhymes with ${word.text}.`);
    const options = found.map((one) => ({ text: one.word, note: `${one.syllables}` + (one.rhyme < 1 ? ", nearly" : "") }));
    openChoices(line, `Rhymes of ${word.text}`, options, (chosen, text) => {
      chosen.text = chosen.text.slice(0, word.start) + text + chosen.text.slice(word.end);
    });
  });
}

function wordAt(text, at) {
  const words = [...text.matchAll(/[\p{L}\p{N}'’]+/gu)].filter((found) => found.index <= at);
  const found = words.at(-1); // the one that the cursor is in or behind
  return found ? { text: found[0], start: found.index, end: found.index + found[0].length } : null;
}

function openChoices(line, name, options, take) {
  const input = inputOf(line);
  if (!input) return;
  const list = document.createElement("ul");
  list.className = "choices" + (options.length > SUGGESTIONS ? " many" : "");
  list.id = "choices";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", name);
  options.forEach((option, n) => {
    const item = document.createElement("li");
    item.id = `choice-${n}`;
    item.setAttribute("role", "option");
    const text = document.createElement("span");
    text.textContent = option.text;
    const note = document.createElement("small");
    note.textContent = option.note;
    item.append(text, note);
    item.addEventListener("pointerdown", (event) => event.preventDefault());
    item.addEventListener("click", () => {
      choosing.at = n;
      choose();
    });
    list.append(item);
  });
  input.closest(".row").append(list);
  input.focus(); // the line that loses it closes its own list
  choosing = { line, options, take, at: 0, list };
  input.setAttribute("aria-controls", "choices");
  pointAt(0);
  say(`${options.length} ${name.toLowerCase()}. Arrow keys choose, Enter takes one, Escape none.`);
}

function pointAt(n) {
  const count = choosing.options.length;
  choosing.at = (n + count) % count;
  [...choosing.list.children].forEach((item, m) => item.setAttribute("aria-selected", String(m === choosing.at)));
  choosing.list.children[choosing.at].scrollIntoView({ block: "nearest" });
  inputOf(choosing.line)?.setAttribute("aria-activedescendant", `choice-${choosing.at}`);
}

function choose() {
  const { line, options, take, at } = choosing;
  closeChoices();
  change(() => take(lineOf(line.id), options[at].text));
  focus(line);
  say(options[at].text);
}

function closeChoices() {
  if (!choosing) return;
  choosing.list.remove();
  const input = inputOf(choosing.line);
  input?.removeAttribute("aria-controls");
  input?.removeAttribute("aria-activedescendant");
  choosing = null;
}

function scoreSoon() {
  clearTimeout(scoring.timer);
  scoring.timer = setTimeout(score, SCORE_AFTER_MS);
}

async function score() {
  if (working) {
    scoreSoon(); // when the song is written, which goes before
    return;
  }
  const number = ++scoring.number;
  const isSung = (line) => line.text.trim() && !DOTS.test(line.text) && !LABEL.test(line.text.trim());
  const parts = song.stanzas.map((stanza) => linesOf(stanza).filter(isSung));
  const lines = parts.flat();
  if (!lines.length) {
    heard = new Map();
    $("found").hidden = true;
    refresh();
    return;
  }
  const body = parts.map((part, n) => {
    const label = song.stanzas[n].label;
    return part.length ? block(label, part.map((line) => line.text.trim())) : "";
  });
  const title = card.titles ? song.title.trim() || "-" : "";
  try {
    const text = [title, ...body].filter((part) => part).join("\n\n");
    const found = await (await post("/api/score", { text })).json();
    if (number !== scoring.number || found.lines.length !== lines.length) return;
    heard = new Map();
    const costs = found.lines.map((line) => line.bits_per_character);
    const mean = costs.reduce((sum, cost) => sum + cost, 0) / costs.length || 1;
    found.lines.forEach((line, n) => {
      const expected = Math.max(0, Math.min(1, 1.5 - line.bits_per_character / mean));
      if (!heard.has(lines[n].id)) heard.set(lines[n].id, { ...line, expected });
    });
    showFacts(found);
    refresh();
    if (scoring.problem === $("problem").textContent) problem("");
    scoring.problem = null;
  } catch (error) {
    if (number !== scoring.number) return;
    scoring.problem = error.message;
    problem(error.message);
  }
}

function showFacts(found) {
  const facts = {
    form: found.form || "none found",
    metre: found.metre || "none found",
    expected: `${found.bits_per_character.toFixed(2)} bits per character`,
    ...(found.style ? { "nearest style": found.style } : {}),
    words: `${found.words}, ${found.different_words} different`,
  };
  $("facts").replaceChildren(
    ...Object.entries(facts).flatMap(([name, value]) => {
      const term = document.createElement("dt");
      const said = document.createElement("dd");
      term.textContent = name;
      said.textContent = value;
      return [term, said];
    }),
  );
  $("found").hidden = false;
}

function button(text, name, act, { pressed, disabled } = {}) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.title = name;
  made.setAttribute("aria-label", name);
  if (pressed !== undefined) made.setAttribute("aria-pressed", String(pressed));
  made.disabled = Boolean(disabled);
  made.addEventListener("click", act);
  return made;
}

function inputOf(line) {
  return document.querySelector(`[data-line="${line.id}"]`);
}

function focus(line, at) {
  const input = inputOf(line);
  input?.focus();
  if (input && at !== undefined) input.setSelectionRange(at, at);
}

function render() {
  closeChoices();
  const focused = { id: document.activeElement?.dataset?.line };
  const at = document.activeElement?.selectionStart;
  if ($("title").value !== song.title) $("title").value = song.title;
  let number = 0;
  $("song").replaceChildren(
    ...song.stanzas.map((stanza, n) => {
      const shown = stanzaElement(stanza, n, number);
      number += linesOf(stanza).length;
      return shown;
    }),
  );
  $("empty").hidden = song.stanzas.length > 0;
  $("add-chorus").hidden = !song.stanzas.some((stanza) => stanza.label && !stanza.again);
  for (const area of document.querySelectorAll(".row textarea")) fit(area);
  if (focused.id) focus(focused, at);
  showSongs();
  refresh();
}

function showSongs() {
  const others = storedSongs().filter((one) => one.id !== song.id);
  const counts = new Map();
  const shown = [song, ...others].map((one) => {
    const name = nameOf(one);
    counts.set(name, (counts.get(name) ?? 0) + 1);
    return [one.id, counts.get(name) > 1 ? `${name} (${counts.get(name)})` : name];
  });
  fillSelect($("songs"), shown);
  $("songs").value = song.id;
}

/** Show what changes while one types: figures, marks, buttons. */
function refresh() {
  for (const row of document.querySelectorAll(".row")) showHeard(row);
  $("undo").disabled = !done.length;
  $("redo").disabled = !undone.length;
  document.title = `${nameOf(song)} – lyricgen studio`;
  showWorking();
}

function showHeard(row) {
  const found = heard.get(row.dataset.of);
  const letter = row.querySelector(".letter");
  const marks = row.querySelector(".marks");
  letter.textContent = found?.rhyme || "";
  letter.className = "letter" + (found?.rhyme ? ` r${(found.rhyme.charCodeAt(0) - 65) % 8}` : "");
  row.querySelector(".syllables").textContent = found ? found.syllables : "";
  row.querySelector("textarea").style.setProperty("--expected", found ? found.expected.toFixed(2) : 0);
  row.querySelector(".said").textContent = found
    ? `${found.syllables} syllables${found.rhyme ? `, rhyme ${found.rhyme}` : ""}, ${found.bits_per_character.toFixed(2)} bits per character`
    : "";
  marks.textContent = found ? found.marks.join("; ") : "";
  row.querySelector(".said").textContent += marks.textContent && `: ${marks.textContent}`;
  marks.hidden = !marks.textContent;
}

function stanzaElement(stanza, n, before) {
  const section = document.createElement("section");
  section.className = "stanza" + (stanza.label && !/^verse\b/i.test(stanza.label) ? " chorus" : "") + (stanza.again ? " again" : "");
  section.setAttribute("aria-label", stanza.label || `Stanza ${n + 1}`);
  const head = document.createElement("div");
  head.className = "stanza-head";
  const label = document.createElement("input");
  label.value = stanza.label;
  label.placeholder = "verse";
  label.setAttribute("aria-label", `Name of stanza ${n + 1}`);
  label.disabled = Boolean(stanza.again);
  label.addEventListener("change", () => change(() => rename(stanza, label.value.replace(/[[\]]/g, "").trim())));
  const isChorus = CHORUS.test(stanza.label);
  head.append(
    label,
    ...(stanza.again
      ? [button("own words", "Own words for this stanza", () => change(() => {
          stanza.lines = linesOf(stanza).map((line) => newLine(line.text));
          stanza.again = null;
        }))]
      : [button("chorus", "Mark as chorus", () => change(() => rename(stanza, isChorus ? "" : "Chorus")), { pressed: isChorus })]),
    button("↑", "Move the stanza up", () => moveStanza(n, -1), { disabled: n === 0 }),
    button("↓", "Move the stanza down", () => moveStanza(n, 1), { disabled: n === song.stanzas.length - 1 }),
    button("✕", "Delete the stanza", () => deleteStanza(stanza)),
  );
  const list = document.createElement("ol");
  list.className = "lines";
  linesOf(stanza).forEach((line, m) => list.append(lineElement(stanza, line, before + m + 1)));
  section.append(head, list);
  return section;
}

/** Give a stanza another name; one that is sung again needs one. */
function rename(stanza, label) {
  const again = song.stanzas.filter((one) => one.again === stanza.id);
  for (const one of [stanza, ...again]) one.label = label || (again.length ? "Verse" : "");
}

function lineElement(stanza, line, number) {
  const row = document.createElement("li");
  row.className = "row" + (number > sung().length - unsettled ? " open" : "");
  row.dataset.of = line.id;
  const letter = document.createElement("span");
  letter.className = "letter";
  letter.setAttribute("aria-hidden", "true");
  const syllables = document.createElement("span");
  syllables.className = "syllables";
  syllables.setAttribute("aria-hidden", "true");
  const said = document.createElement("span");
  said.className = "said hidden";
  said.id = `said-${number}`;
  const input = document.createElement("textarea");
  input.rows = 1;
  input.value = line.text;
  input.placeholder = "…  a gap: type, or let it be filled";
  input.maxLength = MOST_CHARACTERS;
  input.spellcheck = true;
  input.autocomplete = "off";
  input.setAttribute("aria-label", `Line ${number}`);
  input.setAttribute("aria-describedby", said.id);
  const marks = document.createElement("p");
  marks.className = "marks";
  marks.hidden = true;
  row.append(letter, syllables, input);
  if (stanza.again) {
    input.readOnly = true;
    row.append(said, marks);
    return row;
  }
  input.dataset.line = line.id;
  input.readOnly = line.locked;
  input.setAttribute("aria-haspopup", "listbox");
  input.addEventListener("input", () => {
    closeChoices();
    change(() => {
      if (input.value.includes("\n")) input.value = input.value.replace(/\n/g, " ");
      line.text = input.value;
      fit(input);
      mirror(line);
    }, `line ${line.id}`);
  });
  input.addEventListener("paste", (event) => pasteInto(event, line, input));
  input.addEventListener("blur", closeChoices);
  const tools = document.createElement("span");
  tools.className = "tools";
  tools.addEventListener("mousedown", (event) => event.preventDefault()); // the line keeps the focus
  tools.append(
    button("lock", line.locked ? `Unlock line ${number}` : `Lock line ${number}`, () => toggleLock(line), { pressed: line.locked }),
    button("anew", `Write line ${number} anew`, () => rewriteLine(line), { disabled: line.locked }),
    button("suggest", `Suggest lines for line ${number}`, () => suggestFor(line), { disabled: line.locked }),
    button("rhymes", `Rhymes of a word in line ${number}`, () => rhymesFor(line), { disabled: line.locked }),
    button("↑", `Move line ${number} up`, () => moveLine(line, -1)),
    button("↓", `Move line ${number} down`, () => moveLine(line, 1)),
    button("+", `Insert a line below line ${number}`, () => insertBelow(line)),
    button("✕", `Delete line ${number}`, () => deleteLine(line)),
  );
  row.append(tools, said, marks);
  return row;
}

/** Let a line that is longer than the page is wide be seen whole. */
function fit(area) {
  if (CSS.supports("field-sizing", "content")) return; // the browser does it by itself
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight}px`;
}

/** Show a line's text where it comes back. */
function mirror(line) {
  for (const area of document.querySelectorAll(`.row[data-of="${line.id}"] textarea:not([data-line])`)) {
    area.value = line.text;
    fit(area);
  }
}

function pasteInto(event, line, input) {
  const text = withLineFeeds(event.clipboardData?.getData("text") ?? "");
  const isLong = line.text.length + text.length > MOST_CHARACTERS;
  if ((!text.includes("\n") && !isLong) || line.locked) return;
  event.preventDefault();
  const { stanza, at } = place(line);
  const [before, after] = [line.text.slice(0, input.selectionStart), line.text.slice(input.selectionEnd)];
  const isLabelled = Boolean(stanzasOf(text)[0]?.label);
  const [first, ...others] = isLabelled ? [newStanza([before + after]), ...stanzasOf(text)] : stanzasOf(before + text + after);
  if (!first) return;
  change(() => {
    line.text = first.lines[0].text;
    stanza.lines.splice(at + 1, 0, ...first.lines.slice(1));
    song.stanzas.splice(song.stanzas.indexOf(stanza) + 1, 0, ...others);
  });
}

function toggleLock(line) {
  change(() => {
    line.locked = !line.locked;
  });
  say(line.locked ? "Locked." : "Unlocked.");
}

function insertBelow(line) {
  const { stanza, at } = place(line);
  const made = newLine();
  change(() => stanza.lines.splice(at + 1, 0, made));
  focus(made, 0);
}

/** Part a line at the cursor: what is behind it becomes a line, or the first one of a new stanza. */
function split(line, { opensStanza }) {
  const { stanza, at } = place(line);
  const [from, to] = [inputOf(line).selectionStart, inputOf(line).selectionEnd];
  if (from < line.text.length && !mayChange(line)) return;
  const made = newLine(line.text.slice(to).trimStart());
  change(() => {
    line.text = line.text.slice(0, from).trimEnd();
    const others = stanza.lines.splice(at + 1);
    if (opensStanza) song.stanzas.splice(song.stanzas.indexOf(stanza) + 1, 0, { ...newStanza([]), lines: [made, ...others] });
    else stanza.lines.push(made, ...others);
  });
  focus(made, 0);
}

/** Join a line with the one before it, a stanza's first line with the stanza before. */
function join(line) {
  const { stanza, at } = place(line);
  const before = stanza.lines[at - 1];
  const n = song.stanzas.indexOf(stanza);
  const earlier = song.stanzas[n - 1];
  const joined = [before?.text, line.text].filter((text) => text).join(" ");
  if (before && (before.locked || line.locked)) {
    say(LOCKED);
  } else if (before && joined.length > MOST_CHARACTERS) {
    say(`The two lines are longer than ${MOST_CHARACTERS} characters.`);
  } else if (before) {
    const end = joined.length - line.text.length;
    change(() => {
      before.text = joined;
      stanza.lines.splice(at, 1);
    });
    focus(before, end);
  } else if (earlier && !earlier.again && !song.stanzas.some((one) => one.again === stanza.id)) {
    change(() => {
      earlier.lines.push(...stanza.lines);
      song.stanzas.splice(n, 1);
    });
    focus(line, 0);
  }
}

function deleteLine(line) {
  const { stanza, at } = place(line);
  const lines = sung().map((one) => one.line);
  const next = stanza.lines[at - 1] ?? stanza.lines[at + 1] ?? lines[lines.indexOf(line) - 1];
  if (stanza.lines.length === 1) {
    deleteStanza(stanza);
  } else {
    change(() => stanza.lines.splice(at, 1));
  }
  if (next && next !== line) focus(next, next.text.length);
}

function deleteStanza(stanza) {
  change(() => {
    const heir = song.stanzas.find((one) => one.again === stanza.id);
    if (heir) {
      heir.lines = stanza.lines;
      heir.again = null;
      for (const one of song.stanzas) if (one.again === stanza.id) one.again = heir.id;
    }
    song.stanzas.splice(song.stanzas.indexOf(stanza), 1);
  });
}

function moveStanza(n, by) {
  change(() => {
    const [moved] = song.stanzas.splice(n, 1);
    song.stanzas.splice(n + by, 0, moved);
    straightenOut();
  });
}

/** Let the first of stanzas that are the same hold their lines: one cannot come back before it was there. */
function straightenOut() {
  for (const [n, stanza] of song.stanzas.entries()) {
    const origin = stanza.again ? song.stanzas.findIndex((one) => one.id === stanza.again) : -1;
    if (origin > n) {
      const old = song.stanzas[origin];
      stanza.lines = old.lines;
      stanza.again = null;
      old.lines = [];
      old.again = stanza.id;
      for (const one of song.stanzas) if (one !== old && one.again === old.id) one.again = stanza.id;
    }
  }
}

function moveLine(line, by) {
  const { stanza, at } = place(line);
  const target = at + by;
  const others = song.stanzas.filter((one) => !one.again);
  const neighbour = others[others.indexOf(stanza) + by];
  if (target >= 0 && target < stanza.lines.length) {
    change(() => {
      stanza.lines.splice(at, 1);
      stanza.lines.splice(target, 0, line);
    });
  } else if (neighbour) {
    change(() => {
      stanza.lines.splice(at, 1);
      neighbour.lines.splice(by > 0 ? 0 : neighbour.lines.length, 0, line);
      if (!stanza.lines.length) {
        song.stanzas = song.stanzas.filter((one) => one !== stanza && one.again !== stanza.id);
      }
    });
  }
  focus(line);
}

function step(line, by) {
  const lines = song.stanzas.flatMap((stanza) => stanza.lines);
  const next = lines[lines.indexOf(line) + by];
  if (next) focus(next);
}

/** Tell whether an arrow leads out of a line: always, but where it selects, or moves between the rows of a long one. */
function leavesLine(event) {
  const area = event.target;
  if (event.shiftKey || event.ctrlKey || event.metaKey) return false;
  if (area.clientHeight < 2 * parseFloat(getComputedStyle(area).lineHeight)) return true;
  return area.selectionEnd === (event.key === "ArrowUp" ? 0 : area.value.length);
}

function onLineKey(event, line) {
  const keys = { s: suggestFor, r: rewriteLine, l: toggleLock, h: rhymesFor };
  const act = event.altKey && !event.ctrlKey && !event.metaKey ? keys[event.code.replace("Key", "").toLowerCase()] : null;
  if (choosing && ["ArrowDown", "ArrowUp", "Enter", "Escape", "Tab"].includes(event.key)) {
    if (event.key === "ArrowDown") pointAt(choosing.at + 1);
    else if (event.key === "ArrowUp") pointAt(choosing.at - 1);
    else if (event.key === "Enter") choose();
    else closeChoices();
    if (event.key === "Escape") say("");
    if (event.key === "Tab") return;
  } else if (act) {
    act(line);
    focus(line);
  } else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    moveLine(line, event.key === "ArrowUp" ? -1 : 1);
  } else if ((event.key === "ArrowUp" || event.key === "ArrowDown") && leavesLine(event)) {
    step(line, event.key === "ArrowUp" ? -1 : 1);
  } else if (event.key === "Enter" && !event.isComposing) {
    split(line, { opensStanza: event.shiftKey });
  } else if (event.key === "Backspace" && !line.text && !line.locked) {
    deleteLine(line);
  } else if (event.key === "Backspace" && !event.target.selectionEnd) {
    join(line);
  } else if (line.locked && event.key.length === 1 && !event.ctrlKey && !event.metaKey) {
    say(LOCKED);
  } else {
    return;
  }
  event.preventDefault();
}

function onKey(event) {
  const line = lineOf(event.target.dataset?.line);
  const isElsewhere = event.target.closest?.("#wishes, dialog");
  const isCommand = (event.ctrlKey || event.metaKey) && !event.altKey && !isElsewhere;
  if (isCommand && event.key.toLowerCase() === "z") {
    event.preventDefault();
    if (event.shiftKey) goBack(undone, done, "Redone.");
    else goBack(done, undone, "Undone.");
  } else if (isCommand && event.key.toLowerCase() === "y") {
    event.preventDefault();
    goBack(undone, done, "Redone.");
  } else if (line) {
    onLineKey(event, line);
  }
}

function markdown() {
  const stanzas = song.stanzas.map((stanza) =>
    [...(stanza.label ? [`*${stanza.label}*`] : []), textsOf(stanza).join("  \n")].join("\n\n"),
  );
  return `# ${song.title || "Untitled"}\n\n${stanzas.join("\n\n")}\n`;
}

function chordPro() {
  let latest = ""; // the chorus that {chorus} means
  const stanzas = song.stanzas.map((stanza) => {
    const isChorus = CHORUS.test(stanza.label);
    if (isChorus && stanza.again === latest) return "{chorus}";
    if (isChorus) latest = stanza.again ?? stanza.id;
    const kind = isChorus ? "chorus" : "verse";
    const label = stanza.label && stanza.label !== "Chorus" ? `: ${stanza.label}` : "";
    return [`{start_of_${kind}${label}}`, ...textsOf(stanza), `{end_of_${kind}}`].join("\n");
  });
  return `{title: ${song.title || "Untitled"}}\n\n${stanzas.join("\n\n")}\n`;
}

function download(kind) {
  const made = { txt: plainText, md: markdown, chopro: chordPro, json: () => JSON.stringify(song, null, 2) };
  const name = nameOf(song).replace(/[^\p{L}\p{N} _-]/gu, "").trim().slice(0, 60) || "song";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([made[kind]()], { type: "text/plain" }));
  link.download = `${name}.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function withLineFeeds(text) {
  return text.replace(/\r\n?/g, "\n");
}

/** Read what another program, or this page, has written: the song, and how many chords were left out. */
function imported(written) {
  const text = withLineFeeds(written);
  if (/^\s*\{\s*"/.test(text)) {
    const found = JSON.parse(text);
    return [Array.isArray(found.stanzas) ? ofJson(found) : songOf(withLineFeeds(String(found.text ?? ""))), 0];
  }
  const title = /\{(?:title|t):\s*(.*?)\}/i.exec(text)?.[1];
  const isChordPro = /^\{\w+(?::[^}]*)?\}/m.test(text);
  const chords = isChordPro ? text.match(CHORD) ?? [] : [];
  const chordLine = new RegExp(`^(?:[ \\t]*${CHORD.source})+[ \\t]*\\n`, "gm");
  const sung = chords.length ? text.replace(chordLine, "").replace(CHORD, "").replace(/ {2,}/g, " ") : text;
  const plain = sung
    .replace(/\{(?:soc|start_of_chorus)\}/gi, "\n[Chorus]")
    .replace(/\{chorus[^}]*\}/gi, "\n[Chorus]\n")
    .replace(/\{(?:so[cvb]|start_of_\w+)[:\s]+(?:label=)?"?([^}"]+)"?\}/gi, "\n[$1]")
    .replace(/\{(?:sob|start_of_bridge)\}/gi, "\n[Bridge]")
    .replace(/\{(?:eo[cvb]|(?:start|end)_of_\w+)\}/gi, "\n")
    .replace(/^\{[^}]*\}[ \t]*\n?/gm, "")
    .replace(/^# (.*)$/m, "$1")
    .replace(/^\*([^*\n]+)\*\n\n/gm, "[$1]\n");
  return [songOf(title ? `${title}\n\n${plain.trim()}` : plain), chords.length];
}

function ofJson(found) {
  const made = newSong();
  made.title = String(found.title ?? "");
  made.wishes = Object.fromEntries(Object.entries(found.wishes ?? {}).filter(([id]) => WISHES.includes(id)));
  const ids = new Map();
  for (const stanza of found.stanzas) {
    const origin = stanza.again ? ids.get(stanza.again) : undefined;
    const own = newStanza(origin ? [] : (stanza.lines ?? []).map((line) => String(line.text ?? "")), String(stanza.label ?? ""));
    own.again = origin ?? null;
    own.lines.forEach((line, n) => {
      line.locked = Boolean(stanza.lines[n].locked);
    });
    ids.set(stanza.id, origin ?? own.id);
    if (origin || own.lines.length) made.stanzas.push(own);
  }
  return made;
}

async function onImport() {
  const file = $("file").files[0];
  const text = file ? await file.text() : $("pasted").value;
  $("pasted").value = "";
  $("file").value = "";
  if ($("importer").returnValue !== "import" || !text.trim()) return;
  try {
    const [found, chords] = imported(text);
    open(found);
    say(`Imported: ${sung().length} lines${chords ? `; ${chords} chords were left out` : ""}.`);
  } catch {
    problem("This is no song that can be read: a text, or what Export wrote.");
  }
}

function fillSelect(select, entries) {
  select.replaceChildren(
    ...entries.map(([value, text]) => {
      const option = document.createElement("option");
      option.value = value;
      option.textContent = text;
      return option;
    }),
  );
}

async function begin() {
  const [about, forms] = await Promise.all(["/api/card", "/api/forms"].map(async (path) => (await fetch(path)).json()));
  card = about;
  const suggested = card.suggested_styles.length ? `suggested: ${card.suggested_styles.join(", ")}` : "suggested: none";
  fillSelect($("style"), [["suggested", suggested], ["", "none"], ...card.styles.map((style) => [style, style])]);
  const named = Object.keys(forms).filter((name) => !["auto", "free"].includes(name));
  const shown = [["", "as its songs have"], ...named.map((name) => [name, name]), ["own", "your own…"]];
  fillSelect($("form"), [...shown, ["free", "none: character by character"]]);
  $("original-label").hidden = !card.knows_lines;
  $("model").textContent = card.about;
  $("more").open = !matchMedia("(max-width: 1000px)").matches;
  const last = store.getItem(LAST);
  const stored = storedSongs();
  open(stored.find((one) => one.id === last) ?? stored[0] ?? song);
}

function addStanza() {
  const made = newStanza([""]);
  change(() => song.stanzas.push(made));
  focus(made.lines[0]);
}

function addChorus() {
  const named = song.stanzas.filter((stanza) => stanza.label && !stanza.again);
  const origin = named.find((stanza) => CHORUS.test(stanza.label)) ?? named[0];
  const made = newStanza([], origin.label);
  made.again = origin.id;
  change(() => song.stanzas.push(made));
}

/** Take over what another tab makes of this song, so that neither overwrites the other. */
function onStored(event) {
  if (event.key === STORE + song.id && !event.newValue) {
    say("The song was deleted or emptied in another tab. Whatever you change here keeps it.");
  } else if (event.key === STORE + song.id) {
    if (remember("tab")) say("The song was changed in another tab.");
    song = JSON.parse(event.newValue);
    showWishes();
    render();
    scoreSoon();
  } else {
    showSongs();
  }
}

function deleteSong() {
  if (!confirm(`Delete “${nameOf(song)}”? This cannot be undone.`)) return;
  store.removeItem(STORE + song.id);
  const deleted = song.id;
  open(storedSongs()[0] ?? newSong());
  histories.delete(deleted);
}

document.addEventListener("keydown", onKey);
window.addEventListener("storage", onStored);
window.addEventListener("resize", () => document.querySelectorAll(".row textarea").forEach(fit));
$("title").addEventListener("input", () => change(() => {
  song.title = $("title").value;
}, "title"));
$("wishes").addEventListener("submit", (event) => {
  event.preventDefault();
  write();
});
$("wishes").addEventListener("input", keepWishes);
$("again").addEventListener("click", rewriteUnlocked);
$("add-stanza").addEventListener("click", addStanza);
$("add-chorus").addEventListener("click", addChorus);
$("go-on").addEventListener("click", goOn);
$("new").addEventListener("click", () => open(newSong()));
$("songs").addEventListener("change", () => {
  const found = storedSongs().find((one) => one.id === $("songs").value);
  if (found) open(found);
});
$("delete").addEventListener("click", deleteSong);
$("undo").addEventListener("click", () => goBack(done, undone, "Undone."));
$("redo").addEventListener("click", () => goBack(undone, done, "Redone."));
$("print").addEventListener("click", () => print());
$("export").addEventListener("change", () => {
  if ($("export").value) download($("export").value);
  $("export").value = "";
});
$("import").addEventListener("click", () => {
  $("importer").returnValue = "";
  $("importer").showModal();
});
$("importer").addEventListener("close", onImport);
begin().catch((error) => problem(error instanceof TypeError ? GONE : error.message));
