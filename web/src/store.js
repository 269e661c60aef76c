// @ts-check
/** The live streams, shared by the screens that show them: each its own signal, so that a change draws one tile. */
import { api, call } from './api.js';
import { resource, unknownSince } from './link.js';
import { batch, signal } from './ui.js';

/** @typedef {import('./api/types').Stream} Stream */

/** Ids of live streams, newest first; `undefined` until the first answer. */
export const liveIds = signal(/** @type {string[] | undefined} */ (undefined));
/** @type {Map<string, import('./ui.js').Signal<Stream>>} */
const streams = new Map();

/** @param {string} id */
export const liveStream = (id) => streams.get(id)?.value;

/** How often the numbers of all live streams are asked for while a screen shows them. */
const NUMBERS_MS = 5_000;
/** The count of bytes is stored every few seconds. If it stands still for longer, nothing arrives. */
const STILL_MS = 30_000;
/** How many values a sparkline has. */
const KEPT = 60;

/** @typedef {{ at: number, bits: number }} Sample */
/** `at`: when the count was last seen to change; before that, nobody knows how old it is. @type {Map<string, { at: number | undefined, bytes: number, samples: import('./ui.js').Signal<Sample[]> }>} */
const measured = new Map();

/** What arrived of a stream: measured from the bytes that the service has counted. Oldest first. @param {string} id */
export const samplesOf = (id) => measured.get(id)?.samples.value ?? [];

/** @param {Stream} stream @param {number} at */
function measure(stream, at) {
    const before = measured.get(stream.id);
    if (!before || stream.inbound_bytes < before.bytes) {
        measured.set(stream.id, { at: undefined, bytes: stream.inbound_bytes, samples: before?.samples ?? signal([]) });
        return;
    }
    const isStill = stream.inbound_bytes === before.bytes;
    if (isStill && !(before.at && at - before.at > STILL_MS)) return;
    if (before.at) {
        const bits = ((stream.inbound_bytes - before.bytes) * 8_000) / (at - before.at);
        before.samples.value = [...before.samples.peek().slice(1 - KEPT), { at, bits }];
    }
    before.at = at;
    before.bytes = stream.inbound_bytes;
}

/** More would be a request for each of very many streams. */
const SEEDED = 24;

/** Begins with what the service has kept of the last ten minutes. @param {string} id */
export async function seedSamples(id) {
    const mine = measured.get(id);
    if (!mine || mine.samples.peek().length || (liveIds.peek()?.length ?? 0) > SEEDED) return;
    const from = new Date(Date.now() - 600_000).toISOString();
    const kept = await call('get', `streams/${encodeURIComponent(id)}/samples?from=${encodeURIComponent(from)}&step=10`).catch(() => undefined);
    const known = (kept?.samples ?? []).flatMap((/** @type {{ at: string, inbound_bitrate?: number | null }} */ one) => (typeof one.inbound_bitrate === 'number' ? [{ at: Date.parse(one.at), bits: one.inbound_bitrate }] : []));
    if (!mine.samples.peek().length) mine.samples.value = known.slice(-KEPT);
}

/** Media servers that do not answer: what is live on them, nobody knows. */
const silentServers = signal(/** @type {Map<string, number>} */ (new Map()));

/** Since when it is not known how a stream is, if so. @param {Stream} stream */
export const lostSince = (stream) => unknownSince() ?? silentServers.value.get(stream.media_server);

/** Media servers that do not answer, with the time. */
export const silent = () => [...silentServers.value];

/** @type {import('./link.js').Resource<unknown>[]} */
let sources = [];
let users = 0;

/** Keeps the live streams true until the answer is called. */
export function useLive() {
    users += 1;
    if (users === 1) sources = [followStreams(), followServers()];
    const [{ problem, reload }] = sources;
    let used = true;
    return {
        problem,
        reload,
        close() {
            if (!used) return;
            used = false;
            users -= 1;
            if (users) return;
            for (const source of sources) source.close();
            liveIds.value = undefined;
            silentServers.value = new Map();
            streams.clear();
            measured.clear();
        },
    };
}

const followServers = () => resource(async (stop) => {
    const servers = (await api.get('/media-servers', { signal: stop })).media_servers;
    const next = servers.flatMap(({ name, reachable, since }) => (reachable || !since ? [] : [/** @type {const} */ ([name, Date.parse(since)])]));
    if (String(next) !== String(silent())) silentServers.value = new Map(next);
}, { every: NUMBERS_MS });

const followStreams = () =>
    resource(
        async (stop) => {
            const list = (await api.get('/streams', { signal: stop })).streams;
            batch(() => replaceAll(list));
            return list;
        },
        {
            topics: ['stream.'],
            every: NUMBERS_MS,
            // The value is not read: the signals of the streams are.
            on: ({ name, data }, value) => {
                if (name === 'stream.ended' || data.stream?.status === 'ended') remove(data.stream.id);
                else if (data.stream) put(data.stream);
                else return undefined;
                return value;
            },
        },
    );

/** @param {Stream[]} list */
function replaceAll(list) {
    const ids = new Set(list.map(({ id }) => id));
    for (const id of streams.keys()) if (!ids.has(id)) streams.delete(id);
    const at = Date.now();
    for (const id of measured.keys()) if (!ids.has(id)) measured.delete(id);
    for (const stream of list) {
        put(stream, false);
        measure(stream, at);
    }
    const before = liveIds.peek();
    if (before?.length !== list.length || list.some(({ id }, index) => id !== before[index])) liveIds.value = list.map(({ id }) => id);
}

/** @param {Stream} stream @param {boolean} [isNew] */
function put(stream, isNew = true) {
    const known = streams.get(stream.id);
    if (known) {
        known.value = stream;
        return;
    }
    streams.set(stream.id, signal(stream));
    if (isNew) liveIds.value = [stream.id, ...(liveIds.peek() ?? []).filter((id) => id !== stream.id)];
}

/** @param {string} id */
function remove(id) {
    liveIds.value = (liveIds.peek() ?? []).filter((one) => one !== id);
    streams.delete(id);
}

