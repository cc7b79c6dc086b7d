// Calls of the API: an answer, or an error that says in words what is wrong.

import { at } from "./routes.js";

const MOST = 100_000; // items of one answer

async function answerOf(request) {
  const answer = await request;
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.detail ?? answer.statusText), { status: answer.status });
  return body;
}

/** GET below /api/v1. @param {AbortSignal} [signal] */
export function get(path, params = {}, signal = undefined) {
  const query = new URLSearchParams(params);
  return answerOf(fetch(at(`api/v1/${path}${query.size ? `?${query}` : ""}`), { signal }));
}

/** POST a JSON body below /api/v1. */
export function post(path, body) {
  return answerOf(fetch(at(`api/v1/${path}`), {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  }));
}

/** All items of a list, however many answers they need. */
export async function all(path, params, signal) {
  let items = [];
  for (let more = {}; more;) {
    const found = await get(path, { ...params, ...more, limit: MOST }, signal);
    items = items.concat(found.items);
    more = found.next_cursor === null ? null : { cursor: found.next_cursor };
  }
  return items;
}

/** Values of a field: device -> [[time in ms, value], ...] in order of time. */
export async function series(measurement, field, { station, from, to, step, aggregate }, signal) {
  const items = await all("series", { measurement, field, station, from, to, ...(aggregate && { step }) }, signal);
  const found = new Map();
  for (const { device, time_ms: time, value } of items) {
    if (!found.has(device)) found.set(device, []);
    found.get(device).push([time, value]);
  }
  return found;
}
