// @ts-check
/** A long list, page by page, as the service gives it. */
import { asApiError } from '../api.js';
import { html, region, signal } from '../ui.js';
import { button } from './button.js';
import { problem, waiting } from './problem.js';

/**
 * @template R
 * @param {(cursor: string | undefined, signal: AbortSignal) => Promise<{ rows: R[], next?: string }>} load
 */
export function pages(load) {
    const rows = signal(/** @type {R[] | undefined} */ (undefined));
    const next = signal(/** @type {string | undefined} */ (undefined));
    const failed = signal(/** @type {import('../api.js').ApiError | undefined} */ (undefined));
    const busy = signal(false);
    let control = new AbortController();

    /** @param {string} [cursor] */
    async function fetchPage(cursor) {
        const { signal: stop } = control;
        busy.value = true;
        try {
            const page = await load(cursor, stop);
            if (stop.aborted) return;
            rows.value = cursor ? [...(rows.peek() ?? []), ...page.rows] : page.rows;
            next.value = page.next;
            failed.value = undefined;
        } catch (error) {
            if (!stop.aborted) failed.value = asApiError(error);
        } finally {
            if (!stop.aborted) busy.value = false;
        }
    }
    /** From the first page on: after a change, or with another filter. */
    const restart = () => {
        control.abort();
        control = new AbortController();
        return fetchPage();
    };
    void restart();
    return {
        rows,
        restart,
        close: () => control.abort(),
        /** @param {(rows: R[]) => import('../ui.js').View} view */
        view: (view) => region(() => html`${failed.value && problem(failed.value, restart)}
            ${rows.value ? view(rows.value) : failed.value ? null : waiting()}
            ${next.value && html`<div class="actions">${button({ label: busy.value ? 'Loading…' : 'Show more', action: () => fetchPage(next.peek()), disabled: busy.value })}</div>`}`),
    };
}
