"use strict";
// The preview's page: shows one view of the issue, and draws it anew after each save.

const byId = id => document.getElementById(id);
const FRAMED = ["desktop", "phone", "dark", "pictureless", "styleless"];
const tabs = [...document.querySelectorAll("[role=tab]")];
let view = "desktop";
let facts = null;
let drawing = 0;
let opening = null;
let marked = {};  // the line that a finding led to, as long as it stays as it is

const query = extra => new URLSearchParams({language: byId("language").value, reader: byId("reader").value, ...extra});

async function draw() {
  const mine = ++drawing;
  if (FRAMED.includes(view)) {
    const answer = await fetch(`/mail?${query({way: view})}`);
    if (mine !== drawing) return;
    if (!answer.ok) return complain(await answer.json());
    await putIntoFrame(await answer.text());
  }
  const answer = await fetch(`/facts?${query({})}`);
  if (mine !== drawing) return;
  if (!answer.ok) return complain(await answer.json());
  facts = await answer.json();
  byId("wrong").hidden = true;
  tell();
  await new Promise(resolve => setTimeout(resolve, 400));  // another save may be on its way, and its picture goes first
  if (mine !== drawing) return;
  const found = await fetch("/findings");
  if (mine === drawing && found.ok) list(await found.json());
}

// The first picture makes the frame. A later one takes the place of the page in it: at once, for its pictures are
// known, and at the same place of the page.
async function putIntoFrame(html) {
  opening ??= openFrame();
  const frame = await opening;
  const place = frame.contentWindow.scrollY;
  const page = new DOMParser().parseFromString(html, "text/html");
  frame.contentDocument.documentElement.replaceWith(page.documentElement);
  frame.contentWindow.scrollTo(0, place);
  byId("frames").dataset.drawn = String(Number(byId("frames").dataset.drawn || 0) + 1);
}

function openFrame() {
  return new Promise(resolve => {
    const frame = document.createElement("iframe");
    frame.title = "The mail";
    frame.setAttribute("sandbox", "allow-same-origin");
    frame.srcdoc = "<!DOCTYPE html>";
    frame.addEventListener("load", () => resolve(frame), {once: true});
    byId("frames").append(frame);
  });
}

function tell() {
  document.title = `${facts.number} · ${facts.subject}`;
  byId("subject").textContent = facts.subject;
  byId("preheader").textContent = facts.preheader;
  fill(byId("language"), facts.languages, facts.language);
  byId("meter").max = facts.limit;
  byId("meter").value = facts.decoded;
  const number = new Intl.NumberFormat("en");
  byId("bytes").textContent = `${number.format(facts.decoded)} of ${number.format(facts.limit)} bytes`;
  byId("bytes").title = `${number.format(facts.travels)} as it travels`;
  byId("text").textContent = facts.text;
  byId("eml").href = `/issue.eml?${query({})}`;
  const chosen = byId("which").value;
  const names = [...Object.keys(facts.sources), "HTML", "headers"];
  fill(byId("which"), names, names.includes(chosen) ? chosen : names[0]);
  if (view === "source") showSource();
}

function fill(select, values, chosen) {
  if ([...select.options].map(option => option.value).join("\n") !== values.join("\n"))
    select.replaceChildren(...values.map(value => new Option(value, value)));
  select.value = chosen;
}

function showSource(line = null) {
  if (!facts) return;
  const name = byId("which").value;
  const text = name === "HTML" ? facts.html : name === "headers" ? facts.headers : facts.sources[name];
  const lines = (text ?? "").split("\n");
  if (line !== null) marked = {name, line, words: lines[line - 1]};
  byId("lines").replaceChildren(...lines.map((words, index) => {
    const item = document.createElement("li");
    item.textContent = words;
    if (name === marked.name && index + 1 === marked.line && words === marked.words) item.className = "here";
    return item;
  }));
  if (line !== null) byId("lines").querySelector(".here")?.scrollIntoView({block: "center"});
}

function list(found) {
  byId("count").textContent = found.length ? `(${found.length})` : "";
  const items = found.map(each => {
    const button = document.createElement("button");
    button.className = "finding";
    button.dataset.severity = each.severity;
    const what = document.createElement("strong");
    what.textContent = `${each.message}; ${each.remedy}`;
    const where = document.createElement("span");
    where.textContent = `${each.check} ${each.severity} · ${each.path}${each.line ? `:${each.line}` : ""}`;
    button.append(what, where);
    button.addEventListener("click", () => {
      if (!facts || !(each.path in facts.sources)) return;
      choose("source");
      byId("which").value = each.path;
      showSource(each.line);
    });
    return button;
  });
  const none = document.createElement("p");
  none.textContent = "Nothing to object to.";
  byId("findings").replaceChildren(...(items.length ? items : [none]));
}

function complain(faults) {
  const heading = document.createElement("h2");
  heading.textContent = "This cannot be shown yet";
  const told = faults.map(each => {
    const line = document.createElement("p");
    line.textContent = each.message;
    return line;
  });
  byId("wrong").replaceChildren(heading, ...told);
  byId("wrong").hidden = false;
}

function choose(name) {
  view = name;
  for (const tab of tabs) {
    const isChosen = tab.dataset.view === name;
    tab.setAttribute("aria-selected", String(isChosen));
    tab.tabIndex = isChosen ? 0 : -1;
  }
  byId("panel").setAttribute("aria-labelledby", `tab-${name}`);
  byId("frames").hidden = !FRAMED.includes(name);
  byId("frames").dataset.view = name;
  for (const id of ["text", "source", "findings"]) byId(id).hidden = id !== name;
  location.replace(`#${name}`);
}

for (const tab of tabs)
  tab.addEventListener("click", () => {
    choose(tab.dataset.view);
    draw();
  });
byId("tabs").addEventListener("keydown", event => {
  const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
  if (!step) return;
  const next = tabs[(tabs.findIndex(tab => tab.dataset.view === view) + step + tabs.length) % tabs.length];
  next.focus();
  next.click();
});
byId("language").addEventListener("change", draw);
byId("reader").addEventListener("change", draw);
byId("which").addEventListener("change", () => showSource());

const asked = location.hash.slice(1);
choose(tabs.some(tab => tab.dataset.view === asked) ? asked : "desktop");
draw();
fetch("/readers").then(answer => answer.json()).then(people => {
  byId("readers").replaceChildren(...people.map(address => new Option(address)));
});
new EventSource("/changes").addEventListener("message", draw);
