// @ts-check
/** Calls of the public API: one function for each method, typed by the OpenAPI document. Nothing else talks to the service. */

/**
 * @typedef {import('./api/types').Method} Method
 * @typedef {import('./api/schema').paths} Paths
 */
/**
 * @template {Method} M
 * @typedef {import('./api/types').PathsWith<M>} PathsWith
 */
/**
 * @template {keyof Paths} P
 * @template {Method} M
 * @typedef {import('./api/types').Options<P, M>} Options
 */
/**
 * @template {keyof Paths} P
 * @template {Method} M
 * @typedef {import('./api/types').Answer<P, M>} Answer
 */

/** The address of the API: the page is served at `<base>ui/`. */
export const base = new URL('..', location.href.replace(/[?#].*$/, '')).href;

/** What went wrong with a call: a problem document (RFC 9457), or no answer at all (`status` 0). */
export class ApiError extends Error {
    /** @param {{ status: number, title: string, detail: string, type?: string, request_id?: string, errors?: import('./api/types').FieldProblem[] }} problem */
    constructor(problem) {
        super(problem.detail || problem.title);
        this.name = 'ApiError';
        this.status = problem.status;
        this.title = problem.title;
        this.type = problem.type ?? '';
        this.requestId = problem.request_id;
        /** @type {import('./api/types').FieldProblem[]} */
        this.fields = problem.errors ?? [];
    }
    /** @param {string} slug */
    is(slug) {
        return this.type.endsWith(`/problems/${slug}`);
    }
}

/**
 * `signedOut`: the service says that nobody is signed in (any longer). `wrote`: this page has changed something.
 * @type {{ signedOut: () => void, wrote: () => void }}
 */
export const hooks = { signedOut: () => {}, wrote: () => {} };

/**
 * @param {unknown} error
 * @returns {ApiError}
 */
export const asApiError = (error) =>
    error instanceof ApiError ? error : new ApiError({ status: 0, title: 'A fault of this page', detail: String(error) });

/**
 * A call by its literal path, for routes whose answer is read by hand.
 * @param {string} method
 * @param {string} path relative to the API, without a leading slash
 * @param {{ body?: unknown, signal?: AbortSignal }} [options]
 * @returns {Promise<any>}
 */
export async function call(method, path, { body, signal } = {}) {
    /** @type {Response} */
    let response;
    try {
        response = await fetch(base + path, {
            method: method.toUpperCase(),
            credentials: 'same-origin',
            cache: 'no-store',
            signal,
            headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
            body: body === undefined ? undefined : JSON.stringify(body),
        });
    } catch (error) {
        if (signal?.aborted) throw error;
        throw new ApiError({ status: 0, title: 'No answer', detail: 'Streamward does not answer. Check that it runs and that this device has a network.' });
    }
    if (response.ok) {
        if (method.toUpperCase() !== 'GET') hooks.wrote();
        return response.status === 204 ? undefined : await json(response);
    }
    const problem = (await json(response)) ?? {};
    const failed = new ApiError({
        title: response.statusText || 'Refused',
        detail: `Streamward answered with status ${response.status}.`,
        ...problem,
        status: response.status,
        request_id: problem.request_id ?? response.headers.get('x-request-id') ?? undefined,
    });
    if (response.status === 401 && path !== 'session' && !path.startsWith('session/') && path !== 'link') hooks.signedOut();
    throw failed;
}

/** @param {Response} response @returns {Promise<any>} */
async function json(response) {
    try {
        return await response.json();
    } catch {
        return undefined;
    }
}

/**
 * @param {string} template such as `/streams/{id}`
 * @param {{ path?: any, query?: any }} options
 */
function address(template, { path = {}, query = {} }) {
    const filled = template.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(String(path[name])));
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== '') search.set(name, String(value));
    const text = search.toString();
    return filled.slice(1) + (text ? `?${text}` : '');
}

/**
 * @template {Method} M
 * @param {M} method
 * @returns {<P extends PathsWith<M>>(path: P, options?: Options<P, M>) => Promise<Answer<P, M>>}
 */
const caller = (method) => (path, options = {}) =>
    call(method, address(path, options), { body: options.body, signal: options.signal });

export const api = {
    get: caller('get'),
    post: caller('post'),
    put: caller('put'),
    patch: caller('patch'),
    delete: caller('delete'),
};
