// Keeps the files of the page, so that it opens while Voltair is away. Never an answer of the API: old figures must not look new.
// The server puts the list of files and a digest of their content in place of the next two lines' values: another page is another worker.
const FILES = [];
const DIGEST = "";

const PLACE = self.registration.scope;
const FAMILY = `voltair ${PLACE} `; // other programs may live at the same origin
const PATIENCE_MS = 4_000; // a server that is away often says nothing at all
const GATEWAY = [502, 503, 504]; // what a proxy says of a server that is away
const VIEW = /^(|s\/[^/]+|a\/[^/]+|compare|data)$/; // addresses of the page
const BELOW = "s/-"; // the document of addresses one level down, whose links differ

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(FAMILY + DIGEST).then((cache) => cache.addAll(["./", BELOW, ...FILES])));
  self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  event.waitUntil(caches.keys().then((names) => Promise.all(
    names.filter((name) => name.startsWith(FAMILY) && name !== FAMILY + DIGEST).map((name) => caches.delete(name)),
  )).then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  const path = url.startsWith(PLACE) ? url.slice(PLACE.length).split(/[?#]/)[0] : null;
  if (method !== "GET" || path === null) return;
  if (mode === "navigate" && VIEW.test(path)) event.respondWith(fresh(event.request, path.includes("/") ? BELOW : "./"));
  else if (FILES.includes(path)) event.respondWith(fresh(event.request, path));
});

/** The server's answer; the kept one where there is none. */
async function fresh(request, kept) {
  const asked = fetch(request);
  const first = await Promise.race([asked, new Promise((done) => setTimeout(done, PATIENCE_MS))]).catch(() => null);
  if (first && !GATEWAY.includes(first.status)) return first;
  const cache = await caches.open(FAMILY + DIGEST);
  return (await cache.match(kept)) ?? first ?? asked;
}
