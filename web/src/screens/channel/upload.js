// @ts-check
/**
 * Uploads by the tus protocol 1.0: a file goes in pieces, and after a fault, or another day, it continues where the
 * service has it. Uploads go on while other screens are open.
 */
import { ApiError, asApiError, base } from '../../api.js';
import { signal } from '../../ui.js';

/**
 * `sent`: what the service has acknowledged, never what was merely given to the browser.
 * @typedef {{ key: string, name: string, size: number, sent: number, state: 'going' | 'retrying' | 'failed' | 'done', why?: string }} Upload
 */

/** @type {import('../../ui.js').Signal<Upload[]>} */
export const uploads = signal([]);
/** @type {Map<string, AbortController>} */
const running = new Map();

const FIRST_PIECE = 1 << 20;
const LARGEST_PIECE = 32 << 20;
/** A piece takes about this long, so that the progress moves and a fault costs little. */
const PIECE_MS = 1_500;
const ATTEMPTS = 8;
const TUS = { 'tus-resumable': '1.0.0' };

/** What the file is known by until it is uploaded. @param {File} file */
const fingerprint = (file) => `streamward upload ${file.name} ${file.size} ${file.lastModified}`;

/** Text of UTF-8 in base64. @param {string} text */
const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

/**
 * @param {File} file
 * @param {{ organization?: string, clip?: string, changed: () => unknown }} options `clip`: an upload that a person wants to continue with this file
 */
export async function upload(file, { organization, clip, changed }) {
    const key = fingerprint(file);
    if (running.has(key)) return;
    const control = new AbortController();
    running.set(key, control);
    put({ key, name: file.name, size: file.size, sent: 0, state: 'going' });
    try {
        let at = await begun(clip ?? localStorage.getItem(key) ?? undefined, file, control.signal);
        if (!at) {
            const metadata = [`filename ${base64(file.name)}`, organization && `organization_id ${base64(organization)}`].filter(Boolean).join(',');
            const made = await ask('POST', 'clips', { 'upload-length': String(file.size), 'upload-metadata': metadata }, control.signal);
            at = { id: (made.headers.get('location') ?? '').split('/').pop() ?? '', offset: 0 };
            localStorage.setItem(key, at.id);
            changed();
        }
        await send(file, at, key, control.signal);
        localStorage.removeItem(key);
        change(key, { state: 'done', sent: file.size });
        setTimeout(() => forget(key), 4_000);
    } catch (error) {
        if (control.signal.aborted) forget(key);
        else change(key, { state: 'failed', why: asApiError(error).message });
    } finally {
        running.delete(key);
        changed();
    }
}

/** How much the service has of an upload that began before. @param {string | undefined} id @param {File} file @param {AbortSignal} stop */
async function begun(id, file, stop) {
    if (!id) return undefined;
    try {
        const head = await ask('HEAD', `clips/${encodeURIComponent(id)}`, {}, stop);
        if (Number(head.headers.get('upload-length')) !== file.size) return undefined;
        return { id, offset: Number(head.headers.get('upload-offset')) };
    } catch (error) {
        const { status } = asApiError(error);
        if (status === 404 || status === 410) return undefined;
        throw error;
    }
}

/** @param {File} file @param {{ id: string, offset: number }} at @param {string} key @param {AbortSignal} stop */
async function send(file, { id, offset }, key, stop) {
    const path = `clips/${encodeURIComponent(id)}`;
    let piece = FIRST_PIECE;
    let failures = 0;
    change(key, { sent: offset });
    while (offset < file.size) {
        const from = performance.now();
        try {
            const answer = await ask('PATCH', path, { 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' }, stop, file.slice(offset, offset + piece));
            offset = Number(answer.headers.get('upload-offset'));
            failures = 0;
            change(key, { sent: offset, state: 'going', why: undefined });
            const took = performance.now() - from;
            piece = Math.min(LARGEST_PIECE, took < PIECE_MS ? piece * 2 : Math.max(FIRST_PIECE, Math.floor(piece / 2)));
        } catch (error) {
            const failed = asApiError(error);
            // 409: the service has another part of it than this page thinks.
            const worth = failed.status === 0 || failed.status === 409 || failed.status === 423 || failed.status === 429 || failed.status >= 500;
            if (stop.aborted || !worth || ++failures > ATTEMPTS) throw error;
            change(key, { state: 'retrying', why: failed.message });
            await pause(Math.min(30_000, 500 * 2 ** failures), stop);
            const state = await begun(id, file, stop).catch(() => undefined);
            if (state) offset = state.offset;
        }
    }
}

/**
 * @param {string} method @param {string} path @param {Record<string, string>} headers @param {AbortSignal} signal @param {Blob} [body]
 */
async function ask(method, path, headers, signal, body) {
    /** @type {Response} */
    let response;
    try {
        response = await fetch(base + path, { method, headers: { ...TUS, ...headers }, body, signal, credentials: 'same-origin', cache: 'no-store' });
    } catch (error) {
        if (signal.aborted) throw error;
        throw new ApiError({ status: 0, title: 'No answer', detail: 'The connection broke.' });
    }
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({}));
    throw new ApiError({ title: 'Refused', detail: `Streamward answered with status ${response.status}.`, ...problem, status: response.status });
}

/** @param {number} ms @param {AbortSignal} stop */
const pause = (ms, stop) =>
    new Promise((resolve) => {
        const timer = setTimeout(resolve, ms);
        stop.addEventListener('abort', () => {
            clearTimeout(timer);
            resolve(undefined);
        });
    });

/** @param {Upload} one */
const put = (one) => (uploads.value = [...uploads.peek().filter(({ key }) => key !== one.key), one]);
/** @param {string} key @param {Partial<Upload>} what */
const change = (key, what) => (uploads.value = uploads.peek().map((one) => (one.key === key ? { ...one, ...what } : one)));
/** @param {string} key */
export const forget = (key) => (uploads.value = uploads.peek().filter((one) => one.key !== key));

/** Stops for now; what the service has stays, and continues when the file is chosen again. @param {string} key */
export const pauseUpload = (key) => running.get(key)?.abort();

// Leaving the page ends an upload; the browser asks first.
addEventListener('beforeunload', (event) => {
    if (running.size) event.preventDefault();
});
