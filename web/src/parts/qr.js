// @ts-check
/** A QR code, drawn here: what it says never leaves the page. */
import { html, part, signal } from '../ui.js';

/** @param {{ text: string, label: string }} options */
export const qr = (options) => part(draw, options, options.text);

/** @param {{ text: string }} options */
function draw({ text }) {
    const cells = signal(/** @type {boolean[][] | undefined} */ (undefined));
    void import('uqr').then(({ encode }) => (cells.value = encode(text, { ecc: 'M' }).data));
    return (/** @type {{ label: string }} */ { label }) => {
        const rows = cells.value;
        if (!rows) return html`<div class="qr"></div>`;
        const path = rows.map((row, y) => row.map((on, x) => (on ? `M${x} ${y}h1v1h-1z` : '')).join('')).join('');
        return html`<svg class="qr" viewBox=${`-2 -2 ${rows.length + 4} ${rows.length + 4}`} role="img" aria-label=${label} shape-rendering="crispEdges"><rect x="-2" y="-2" width="100%" height="100%" /><path d=${path} /></svg>`;
    };
}
