// @ts-check
/** The live streams, shared by the screens that show them: each its own signal, so that a change draws one tile. */
import { api } from './api.js';
import { resource } from './link.js';
import { batch, signal } from './ui.js';

/** @typedef {import('./api/types').Stream} Stream */

/** Ids of live streams, newest first; `undefined` until the first answer. */
export const liveIds = signal(/** @type {string[] | undefined} */ (undefined));
/** @type {Map<string, import('./ui.js').Signal<Stream>>} */
const streams = new Map();

/** @param {string} id */
export const liveStream = (id) => streams.get(id)?.value;

/** @type {import('./link.js').Resource<Stream[]> | undefined} */
let source;
let users = 0;

/** Keeps the live streams true until the answer is called. */
export function useLive() {
    users += 1;
    source ??= follow();
    const mine = source;
    let used = true;
    return {
        problem: mine.problem,
        reload: mine.reload,
        close() {
            if (!used) return;
            used = false;
            users -= 1;
            if (users) return;
            source?.close();
            source = undefined;
            liveIds.value = undefined;
            streams.clear();
        },
    };
}

function follow() {
    const loaded = resource(
        async (stop) => {
            const list = (await api.get('/streams', { signal: stop })).streams;
            batch(() => replaceAll(list));
            return list;
        },
        {
            topics: ['stream.'],
            // The value is not read: the signals of the streams are.
            on: ({ name, data }, value) => {
                if (name === 'stream.ended' || data.stream?.status === 'ended') remove(data.stream.id);
                else if (data.stream) put(data.stream);
                else return undefined;
                return value;
            },
        },
    );
    return loaded;
}

/** @param {Stream[]} list */
function replaceAll(list) {
    const ids = new Set(list.map(({ id }) => id));
    for (const id of streams.keys()) if (!ids.has(id)) streams.delete(id);
    for (const stream of list) put(stream, false);
    liveIds.value = list.map(({ id }) => id);
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

