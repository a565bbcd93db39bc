// The pages work without this script. With it they stay up to date, and ages count on.
// No build: one module, served as it is.

// `named` is the version that the stream has named last, `shown` the one that the page shows.
const STATE = { live: null, named: null, shown: null, paused: sessionStorage.getItem("paused") === "yes", asking: false };
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

// Ask for the page anew and put in the regions that have changed. What somebody types stays.
async function refresh() {
  // A page whose content is not live would only read Kafka again.
  if (STATE.asking || !document.querySelector("[data-region]:not(#problems)")) return;
  STATE.asking = true;
  const version = STATE.named;
  try {
    const answer = await fetch(location.href, { headers: { "x-live": "1" }, credentials: "same-origin" });
    if (answer.redirected) { location.reload(); return; }
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (STATE.paused) return;
    for (const region of document.querySelectorAll("[data-region]")) replace(region, page.getElementById(region.id));
    STATE.shown = version;
    countAges();
  } catch {
    // The stream says that the server is away.
  } finally {
    STATE.asking = false;
    if (STATE.named !== version && !STATE.paused) refresh(); // something changed meanwhile
  }
}

function replace(region, found) {
  if (!found || region.innerHTML === found.innerHTML) return;
  const active = document.activeElement;
  const inside = active && region.contains(active);
  if (inside && active.matches("input, textarea, select")) return;
  const place = inside ? describe(active) : null;
  const scrolled = [...region.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
  region.replaceChildren(...document.importNode(found, true).childNodes);
  region.querySelectorAll(".scroll").forEach((one, n) => { one.scrollLeft = scrolled[n] ?? 0; });
  if (place) [...region.querySelectorAll(place.tag)].find((one) => describe(one).name === place.name)?.focus();
}

function describe(element) {
  const name = element.getAttribute("href") ?? element.id ?? element.getAttribute("aria-label");
  return { tag: element.localName, name: name || element.getAttribute("aria-label") || element.textContent };
}

function open() {
  if (STATE.live || STATE.paused || document.hidden) return;
  STATE.live = new EventSource(document.body.dataset.live);
  STATE.live.onmessage = (message) => {
    const { version, at } = JSON.parse(message.data);
    say("live", at ? `live, read ${new Date(at * 1000).toLocaleTimeString()}` : "live, nothing read yet");
    STATE.named = version;
    if (version !== STATE.shown) refresh();
  };
  STATE.live.onerror = () => say("away", "the server does not answer");
}

function close() {
  STATE.live?.close();
  STATE.live = null;
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
    if (STATE.paused) close(); else { STATE.shown = null; open(); }
    showPaused();
  });
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else open(); });
  showPaused();
  open();
}

// A link that the program prints has the one-time code behind a #, which a browser sends to nobody.
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

setInterval(countAges, 1000);
