// @ts-check
/** The configuration as it takes effect: each value, and where it was set. Secrets stay out. */
import { call } from '../../api.js';
import { resource } from '../../link.js';
import { empty } from '../../parts/problem.js';
import { table } from '../../parts/table.js';
import { html, region, signal } from '../../ui.js';
import { answered } from './section.js';

/** @typedef {{ file?: string, values: any, sources: Record<string, string> }} Configuration */

export function configuration() {
    const source = resource((stop) => /** @type {Promise<Configuration>} */ (call('get', 'configuration', { signal: stop })));
    const search = signal('');
    const changed = signal(false);
    return {
        close: source.close,
        view: () => html`<div class="sieve"><input type="search" aria-label="Search for a key or a value" placeholder="Search" value=${search.value} onInput=${(/** @type {any} */ event) => (search.value = event.target.value)} />
            <button type="button" class="button plain" aria-pressed=${changed.value} onClick=${() => (changed.value = !changed.value)}>Only what was set</button></div>
            ${region(() => answered(source, ({ file, values, sources }) => {
                const rows = flat(values).filter(({ key, value }) => `${key} ${value}`.toLowerCase().includes(search.value.toLowerCase()) && (!changed.value || sources[key]));
                return html`<p class="quiet">${file ? html`Read from <code>${file}</code> and the environment` : 'No file was read, only the environment'}. A change takes effect when Streamward is started again.</p>
                    ${rows.length ? table({ caption: 'Configuration', rows, key: ({ key }) => key, columns: [
                        { head: 'Key', main: true, cell: ({ key }) => html`<span class="mono">${key}</span>` },
                        { head: 'Value', cell: ({ value }) => html`<span class="mono">${value}</span>` },
                        { head: 'Set in', cell: ({ key }) => sources[key] ?? html`<span class="quiet">default</span>` },
                    ] }) : empty({ title: 'No key fits' })}`;
            }, 'The configuration'))}`,
    };
}

/** @param {any} value @param {string} [key] @returns {{ key: string, value: string }[]} */
function flat(value, key = '') {
    if (value && typeof value === 'object' && !Array.isArray(value)) return Object.entries(value).flatMap(([name, one]) => flat(one, key ? `${key}.${name}` : name));
    return [{ key, value: Array.isArray(value) ? (value.length ? value.map((one) => (typeof one === 'object' ? JSON.stringify(one) : String(one))).join(', ') : '(none)') : String(value) }];
}
