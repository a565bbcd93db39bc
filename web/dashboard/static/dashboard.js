// The pages work without this script. With it they stay up to date, and ages count on.
// No build: one module, served as it is.

// How long the stream says nothing before the page says that the server is away: it ends by itself now and then, and
// comes back in a second. And after how long one that was refused is opened again.
const SILENT_MS = 5000, AGAIN_MS = 3000;
// `named` is the version that the stream has named last, first at `namedAt` and read at `at` by its server's clock;
// `shown` is the one that the page shows, which was read at `readAt`; null if a part of the page is older. `heardAt` is
// when the stream last said something or was first wanted.
const STATE = {
  live: null, again: 0, heardAt: null,
  named: null, namedAt: 0, at: 0, shown: null, readAt: read(document).at,
  paused: sessionStorage.getItem("paused") === "yes", asking: false,
};
const asOf = document.querySelector("#as-of");
const pause = document.querySelector("[data-pause]");

function age(ms) {
  const left = ms - Date.now();
  const s = Math.abs(left) / 1000;
  const words =
    s >= 172800 ? `${Math.round(s / 86400)} d` :
    s >= 7200 ? `${Math.round(s / 3600)} h` :
    s >= 120 ? `${Math.round(s / 60)} min` : `${Math.round(s)} s`;
  return left <= 0 ? `${words} ago` : `in ${words}`;
}

function countAges() {
  for (const one of document.querySelectorAll("time[data-age]")) {
    const text = age(Date.parse(one.dateTime));
    if (one.textContent !== text) one.textContent = text;
  }
}

function say(kind, text) {
  asOf.className = `as-of ${kind}`;
  asOf.querySelector("[data-as-of]").textContent = text;
}

function sayLive() {
  if (STATE.shown === STATE.named || !hasLiveContent()) STATE.readAt = STATE.at;
  const { readAt } = STATE;
  say("live", readAt ? `live, read ${new Date(readAt * 1000).toLocaleTimeString()}` : "live, nothing read yet");
}

// The version that a page shows, and since when all that it shows was read.
function read(page) {
  const { version = "", at = "0" } = page.getElementById("problems")?.dataset ?? {};
  return { version, at: Number(at) };
}

function hasLiveContent() {
  return document.querySelector("[data-region]:not(#problems)") !== null;
}

// Ask for the page anew and put in the regions that have changed. What somebody types stays.
async function refresh() {
  // A page whose content is not live would only read Kafka again.
  if (STATE.asking || STATE.paused || !hasLiveContent()) return;
  STATE.asking = true;
  const { named: version, namedAt } = STATE;
  try {
    const answer = await fetch(location.href, { headers: { "x-live": "1" }, credentials: "same-origin" });
    if (answer.redirected) { leave(); return; }
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (STATE.paused) return;
    const regions = [...document.querySelectorAll("[data-region]")];
    const kept = regions.filter((region) => !replace(region, page.getElementById(region.id)));
    countAges();
    // The next message asks again, unless whoever is at a region leaves it before.
    if (kept.length) { STATE.shown = null; return; }
    // Another process may have answered than the one that has the stream, and each reads Kafka for itself: its page
    // shows the version that was named only if all of it was read since.
    const found = read(page);
    STATE.shown = found.at >= namedAt ? version : found.version;
    STATE.readAt = Math.max(STATE.readAt, found.at);
    sayLive();
  } catch {
    // The stream says that the server is away.
  } finally {
    STATE.asking = false;
    if (STATE.named !== version) refresh(); // something changed meanwhile
  }
}

// Show what was found in a region. False if it has to stay for now, as somebody types or presses a button there: a click
// comes only if the button is still the one that was pressed.
function replace(region, found) {
  if (!found || region.innerHTML === found.innerHTML) return true;
  const active = document.activeElement;
  const inside = active && region.contains(active);
  if (inside && active.matches("input, textarea, select")) return false;
  if (region.querySelector(":active")) return false;
  const place = inside ? describe(active) : null;
  const scrolled = [...region.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
  const typed = [...region.querySelectorAll("input[name], textarea[name]")].filter((one) => one.value !== one.defaultValue);
  region.replaceChildren(...document.importNode(found, true).childNodes);
  region.querySelectorAll(".scroll").forEach((one, n) => { one.scrollLeft = scrolled[n] ?? 0; });
  for (const { name, value } of typed) typeAgain(region.querySelector(`[name="${CSS.escape(name)}"]`), value);
  if (place) [...region.querySelectorAll(place.tag)].find((one) => describe(one).name === place.name)?.focus();
  return true;
}

function typeAgain(field, value) {
  if (!field) return;
  field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

function describe(element) {
  const name = element.getAttribute("href") ?? element.id ?? element.getAttribute("aria-label");
  return { tag: element.localName, name: name || element.getAttribute("aria-label") || element.textContent };
}

function open() {
  if (STATE.live || STATE.paused || document.hidden) return;
  const stream = new EventSource(document.body.dataset.live);
  STATE.live = stream;
  stream.onmessage = (message) => {
    STATE.heardAt = Date.now();
    const { version, at, now } = JSON.parse(message.data);
    if (version !== STATE.named) STATE.namedAt = now;
    Object.assign(STATE, { named: version, at });
    sayLive();
    if (version !== STATE.shown) refresh();
  };
  stream.onerror = () => {
    if (stream.readyState !== EventSource.CLOSED) return; // the browser opens it again
    // After another status than 200 it does not: a proxy's while the server restarts, or that the session is over.
    close();
    STATE.again = setTimeout(open, AGAIN_MS);
    askWhyRefused();
  };
}

function close() {
  clearTimeout(STATE.again);
  STATE.live?.close();
  STATE.live = null;
}

// Somebody looks: open the stream, and give it time to say something.
function look() {
  STATE.heardAt = Date.now();
  open();
}

async function askWhyRefused() {
  const asking = new AbortController();
  try {
    const { status } = await fetch(document.body.dataset.live, { signal: asking.signal, credentials: "same-origin" });
    if (status === 401) leave();
  } catch {
    // The stream is opened again, or stays silent.
  } finally {
    asking.abort(); // it may be a stream
  }
}

// The session is over: a page that is live leads to the login and back, in another one may stand what somebody types.
function leave() {
  close();
  STATE.heardAt = null;
  if (hasLiveContent()) location.reload();
  else say("away", "your session is over");
}

function noteSilence() {
  if (STATE.heardAt === null || STATE.paused || document.hidden) return;
  if (Date.now() - STATE.heardAt > SILENT_MS) say("away", "the server does not answer");
}

function showPaused() {
  pause.setAttribute("aria-pressed", String(STATE.paused));
  pause.textContent = STATE.paused ? "Go on" : "Pause";
  if (STATE.paused) say("", "paused");
}

if (document.body.dataset.live && pause) {
  pause.hidden = false;
  pause.addEventListener("click", () => {
    STATE.paused = !STATE.paused;
    sessionStorage.setItem("paused", STATE.paused ? "yes" : "no");
    if (STATE.paused) close(); else { STATE.shown = null; look(); }
    showPaused();
  });
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else look(); });
  showPaused();
  look();
}

// Whoever kept a region from being replaced has left it.
for (const end of ["focusout", "pointerup"]) {
  document.addEventListener(end, () => { if (STATE.shown !== STATE.named) refresh(); });
}

// A link that the program prints has the one-time code behind a #, which a browser sends to nobody. Where there are no
// such codes, a link must not log anybody in: it might be as somebody else.
const login = document.querySelector("[data-login]");
if (login && location.hash.length > 1) {
  login.elements.token.value = decodeURIComponent(location.hash.slice(1));
  history.replaceState(null, "", location.pathname + location.search);
  login.submit();
}

// How long an action takes, as its rate is typed.
document.addEventListener("input", (event) => {
  const rate = event.target.closest?.("[data-cost]");
  if (!rate) return;
  const s = Number(rate.dataset.cost) / Math.max(Number(rate.value) || Number(rate.dataset.full), 0.001);
  const out = document.querySelector("#cost");
  if (out) out.textContent = s < 2 ? "a second" : age(Date.now() + s * 1000).slice(3);
});

setInterval(() => { countAges(); noteSilence(); }, 1000);
