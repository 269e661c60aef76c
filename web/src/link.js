// @ts-check
/** Whether what the page shows is true now: the state of the line to the service, and what it brings. */
import { batch, computed, now, signal } from './ui.js';
import { asApiError, hooks as apiHooks } from './api.js';
import { connect } from './events.js';

/**
 * `connecting` before the first answer; `live` when changes arrive by themselves; `polling` when only questions are
 * answered; `lost` when nothing is.
 * @typedef {'connecting' | 'live' | 'polling' | 'lost'} LineState
 */

/** @type {import('./ui.js').Signal<{ state: LineState, since: number }>} */
export const line = signal({ state: 'connecting', since: Date.now() });

/** A gap that nobody notices needs no banner. */
const QUIET_MS = 5_000;
/** How often the page asks when it is not told. */
const POLL_MS = 5_000;

/** How long nothing may be heard before the page asks. */
const SILENT_MS = 15_000;

/** Since when the service fails at every question, and what it says: it may be there while its database is not. */
export const failing = signal(/** @type {{ since: number, why: string } | undefined} */ (undefined));
let answered = Date.now();

const lost = computed(() => {
    const { state, since } = line.value;
    return state === 'lost' || state === 'connecting' ? since : failing.value?.since;
});

/** Whether what is shown is older than a person should believe. */
export const stale = computed(() => lost.value !== undefined && now.value - lost.value > QUIET_MS);

/** Since when nothing is known of what changes, if so. */
export const unknownSince = () => (stale.value ? lost.value : undefined);

/** @typedef {{ name: string, id: string, data: any }} ServiceEvent */
/** @type {Set<(event: ServiceEvent) => void>} */
const listeners = new Set();
/** @type {Set<() => Promise<unknown>>} */
const resources = new Set();
/** @type {ReturnType<typeof connect> | undefined} */
let connection;
/** @type {ReturnType<typeof setInterval> | undefined} */
let poll;
/** @type {ServiceEvent[]} */
let waiting = [];
/** @type {ReturnType<typeof setTimeout> | undefined} */
let flushing;
/** Called when the stream of events is refused because nobody is signed in. @type {{ refused: () => void }} */
export const hooks = { refused: () => {} };

/** @param {LineState} state */
function become(state) {
    if (line.peek().state === state) return;
    line.value = { state, since: Date.now() };
}

/** Starts to listen; once, when somebody has signed in. */
export function start() {
    if (connection) return;
    line.value = { state: 'connecting', since: Date.now() };
    failing.value = undefined;
    connection = connect(receive);
    // A connection that hangs tells nothing at all, and one that works does not tell that the database is away.
    poll = setInterval(() => {
        if (!document.hidden && (line.peek().state !== 'live' || failing.peek() || Date.now() - answered > SILENT_MS)) void ask();
    }, POLL_MS);
}

export function stop() {
    connection?.stop();
    connection = undefined;
    clearInterval(poll);
}

/** @param {import('./event-stream.js').Message} message */
function receive(message) {
    if (message.kind === 'open') {
        const before = line.peek().state;
        become('live');
        // What happened in the gap came as no event: ask for all of it again.
        if (before !== 'live') void reloadAll().catch(() => {});
    } else if (message.kind === 'down') {
        if (message.status === 401 || message.status === 403) hooks.refused();
        if (line.peek().state === 'live') become('lost');
        if (message.status >= 400) void ask();
    } else if (message.name === 'ping') {
        return;
    } else if (message.name === 'reset') {
        void reloadAll().catch(() => {});
    } else {
        waiting.push(unwrap(message));
        // At most four times a second, however many come.
        flushing ??= setTimeout(flush, 250);
    }
}

/** The events of all topics come without a name of their own: it is in them. @param {ServiceEvent} message @returns {ServiceEvent} */
const unwrap = (message) => (message.name === 'message' ? { ...message, name: message.data.type, data: message.data.data } : message);

function flush() {
    flushing = undefined;
    const events = waiting;
    waiting = [];
    batch(() => {
        for (const event of events) for (const listener of listeners) listener(event);
    });
}

async function reloadAll() {
    return Promise.all([...resources].map((reload) => reload()));
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let rereading;
// What this page has changed itself is seen at once, whether an event tells of it or not.
apiHooks.wrote = () => {
    rereading ??= setTimeout(() => {
        rereading = undefined;
        if (connection) void reloadAll().catch(() => {});
    }, 50);
};

/** Asks instead of being told. */
async function ask() {
    try {
        await reloadAll();
        if (resources.size && line.peek().state !== 'live') become('polling');
    } catch {
        if (line.peek().state === 'polling') become('lost');
    }
}

/**
 * @param {(event: ServiceEvent) => void} listener
 * @returns {() => void} stops it
 */
export function onEvent(listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
}

/**
 * Something that the page shows and keeps true: loaded at once, loaded again after a gap, and after events.
 * @template T
 * @typedef {{
 *   value: import('./ui.js').Signal<T | undefined>,
 *   problem: import('./ui.js').Signal<import('./api.js').ApiError | undefined>,
 *   reload: () => Promise<void>,
 *   close: () => void,
 * }} Resource
 */

/**
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} load
 * @param {{ topics?: string[], on?: (event: ServiceEvent, value: T) => T | undefined, every?: number }} [options]
 *   `topics`: beginnings of names of events (`stream.`) after which it is loaded again. `on` changes it by the event
 *   instead; what it answers is the new value, `undefined` loads it. `every`: also after this many milliseconds.
 * @returns {Resource<T>}
 */
export function resource(load, { topics = [], on, every } = {}) {
    /** @type {Resource<T>['value']} */
    const value = signal(undefined);
    /** @type {Resource<T>['problem']} */
    const problem = signal(undefined);
    const closed = new AbortController();
    /** @type {Promise<void> | undefined} */
    let running;
    let again = false;
    /** @type {ServiceEvent[]} */
    let missed = [];

    const apply = (/** @type {ServiceEvent} */ event) => {
        const current = value.peek();
        // Another version wrote the event: only its name is known.
        const changed = on && event.data && current !== undefined ? on(event, current) : undefined;
        if (changed === undefined) soon();
        else value.value = changed;
    };
    const once = async () => {
        missed = [];
        try {
            const loaded = await load(closed.signal);
            if (closed.signal.aborted) return;
            answered = Date.now();
            batch(() => {
                failing.value = undefined;
                value.value = loaded;
                problem.value = undefined;
                // What happened while the answer was on its way may not be in it.
                if (on) for (const event of missed) if (event.data) value.value = on(event, value.value ?? loaded) ?? value.value;
            });
        } catch (error) {
            if (closed.signal.aborted) return;
            const failed = asApiError(error);
            if (failed.status >= 500) failing.value ??= { since: Date.now(), why: failed.message };
            problem.value = failed;
            throw error;
        }
    };
    const reload = async () => {
        if (running) {
            again = true;
            return running;
        }
        running = once();
        try {
            await running;
        } finally {
            running = undefined;
            if (again) {
                again = false;
                void reload().catch(() => {});
            }
        }
    };
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const soon = () => {
        timer ??= setTimeout(() => {
            timer = undefined;
            if (!closed.signal.aborted) void reload().catch(() => {});
        }, 100);
    };
    const unlisten = onEvent((event) => {
        if (!topics.some((topic) => event.name.startsWith(topic))) return;
        if (running) {
            missed.push(event);
            if (!on) again = true;
        } else apply(event);
    });
    const tick = every
        ? setInterval(() => {
              if (!document.hidden) void reload().catch(() => {});
          }, every)
        : undefined;
    resources.add(reload);
    void reload().catch(() => {});
    return {
        value,
        problem,
        reload: () => reload().catch(() => {}),
        close() {
            closed.abort();
            clearTimeout(timer);
            clearInterval(tick);
            unlisten();
            resources.delete(reload);
        },
    };
}
