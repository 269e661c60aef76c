// @ts-check
import { html } from '../ui.js';

/**
 * @template R
 * @typedef {{ head: string, cell: (row: R) => import('../ui.js').View, end?: boolean, main?: boolean }} Column
 *   `end`: numbers and actions, at the end of the cell. `main`: names the row.
 */

/**
 * A real table; on a narrow screen each row is a card with the names of its columns.
 * @template R
 * @param {{ caption: string, columns: Column<R>[], rows: R[], key: (row: R) => string }} options
 */
export const table = ({ caption, columns, rows, key }) => html`<div class="table"><table>
    <caption class="unseen">${caption}</caption>
    <thead><tr>${columns.map(({ head, end }) => html`<th scope="col" class=${end ? 'end' : ''}>${head || html`<span class="unseen">Actions</span>`}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr key=${key(row)}>${columns.map(({ head, cell, end, main }) =>
        main
            ? html`<th scope="row">${cell(row)}</th>`
            : html`<td class=${end ? 'end' : ''} data-head=${head}>${cell(row)}</td>`)}</tr>`)}</tbody>
</table></div>`;
