// @ts-check
import { api } from '../../api.js';
import { resource } from '../../link.js';
import { badge } from '../../parts/badge.js';
import { words } from '../../parts/format.js';
import { table } from '../../parts/table.js';
import { ago } from '../../parts/time.js';
import { html } from '../../ui.js';
import { answered } from './section.js';

/** @typedef {import('../../api/types').Schemas['Task']} Task */

export function tasks() {
    const list = resource((stop) => api.get('/tasks', { signal: stop }), { every: 3_000 });
    return {
        close: list.close,
        view: () => answered(list, ({ tasks: all }) => html`<p role="status">${all.some((task) => task.failing) ? `${all.filter((task) => task.failing).length} of ${all.length} tasks fail.` : `All ${all.length} tasks work.`}</p>
            ${table({
                caption: 'Background tasks',
                rows: [...all].sort((a, b) => Number(b.failing) - Number(a.failing)),
                key: ({ name }) => name,
                columns: [
                    { head: 'Task', main: true, cell: (task) => html`${task.name}<br /><small>${task.description}</small>${task.last_error && task.failing && html`<p class="says">${task.last_error.message}</p>`}${details(task)}` },
                    { head: 'State', cell: (task) => badge(task.failing ? 'bad' : task.state === 'running' ? 'good' : 'idle', task.failing ? 'Failing' : words(task.state).replace(/^./, (one) => one.toUpperCase())) },
                    { head: 'Last good', cell: (task) => ago(task.last_ok_at) },
                    { head: 'Runs', end: true, cell: (task) => task.iterations.toLocaleString() },
                    { head: 'Failures', end: true, cell: (task) => html`${task.failures.toLocaleString()}${task.last_error && !task.failing && html`<br /><small title=${task.last_error.message}>last ${ago(task.last_error.at)}</small>`}` },
                    { head: 'Took', end: true, cell: (task) => (task.duration_ms === undefined ? html`<span class="quiet">–</span>` : html`<span class="nowrap">${task.duration_ms} ms</span>`) },
                ],
            })}`, 'The list of tasks'),
    };
}

/** @param {Task} task */
function details(task) {
    const all = Object.entries(task.details ?? {});
    return all.length > 0 && html`<details class="more-fields small"><summary>Details</summary><dl class="pairs">${all.map(([name, value]) => html`<dt>${words(name)}</dt><dd>${typeof value === 'object' ? JSON.stringify(value) : String(value)}</dd>`)}</dl></details>`;
}
