// Checks many files of HTML in one go. Reads JSON from stdin: {"letters": {name: html}, "pages": {name: html}}; writes
// JSON to stdout: {"markup": {name: [what is wrong, …]}, "features": {feature: {"letters": [name, …], "lacking":
// [client, …], "partly": [client, …]}}}. Needs no network.

import { readFileSync } from "node:fs";
import { caniemail, rawData } from "caniemail";
import { HtmlValidate, StaticConfigLoader } from "html-validate";
import * as rules from "./rules.mjs";

// As caniemail's data names them. Outlook on Windows is Word's engine; new Outlook is outlook-com.
const CLIENTS = [
  "apple-mail.ios", "apple-mail.macos",
  "gmail.android", "gmail.desktop-webmail", "gmail.ios", "gmail.mobile-webmail",
  "outlook.android", "outlook.ios", "outlook.macos", "outlook.outlook-com", "outlook.windows",
  "protonmail.android", "protonmail.desktop-webmail", "protonmail.ios",
  "samsung-email.android", "thunderbird.macos",
  "yahoo.android", "yahoo.desktop-webmail", "yahoo.ios",
];

async function wrong(files, config) {
  const checker = new HtmlValidate(new StaticConfigLoader(config));
  const found = {};
  for (const [name, html] of Object.entries(files)) {
    const { results } = await checker.validateString(html);
    found[name] = results.flatMap((result) =>
      result.messages.map((m) => `${m.ruleId}: ${m.message} (line ${m.line}, column ${m.column}, ${m.selector})`),
    );
  }
  return found;
}

// What a client makes of a feature, as it was tested last: "y" yes, "n" no, "a" in part, "u" or nothing: unknown.
function support(feature, client) {
  const [family, platform] = client.split(".");
  const tested = feature.stats[family]?.[platform] ?? {};
  const versions = Object.keys(tested).sort((one, other) => one.localeCompare(other, "en", { numeric: true }));
  return versions.length ? tested[versions.at(-1)][0] : "u";
}

// The package refuses a feature that a client was never tested with, and does not know all clients by name. So it
// only tells which features there are, by way of a client that lacks all of them; who lacks them, the data tell.
function features(letters) {
  const known = new Map(rawData.data.map((feature) => [feature.title, structuredClone(feature)]));
  for (const feature of rawData.data) feature.stats = { "apple-mail": { macos: { 1: "n" } } };
  const found = {};
  for (const [name, html] of Object.entries(letters)) {
    const issues = caniemail({ clients: ["apple-mail.macos"], html }).issues.errors.get("apple-mail.macos") ?? [];
    for (const { title } of issues) {
      const those = (answer) => CLIENTS.filter((client) => support(known.get(title), client) === answer);
      found[title] ??= { letters: [], lacking: those("n"), partly: those("a") };
      if (!found[title].letters.includes(name)) found[title].letters.push(name);
    }
  }
  return found;
}

const given = JSON.parse(readFileSync(0, "utf8"));
const markup = { ...(await wrong(given.letters, rules.letter)), ...(await wrong(given.pages, rules.page)) };
process.stdout.write(JSON.stringify({ markup, features: features(given.letters) }));
