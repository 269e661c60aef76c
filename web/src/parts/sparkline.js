// @ts-check
/** A line of the last values, with a sentence for those who do not see it. A gap stays a gap. */
import { html } from '../ui.js';

const WIDTH = 120;
const HEIGHT = 28;

/**
 * @param {(number | undefined)[]} values oldest first
 * @param {{ label: string, format: (value: number) => string | undefined }} options
 */
export function sparkline(values, { label, format }) {
    const known = /** @type {number[]} */ (values.filter((value) => value !== undefined));
    if (known.length < 2) return html`<span class="sparkline" aria-hidden="true"></span>`;
    const top = Math.max(...known, 1);
    const step = WIDTH / Math.max(values.length - 1, 1);
    let path = '';
    let drawing = false;
    values.forEach((value, index) => {
        if (value === undefined) {
            drawing = false;
            return;
        }
        const y = HEIGHT - 2 - (value / top) * (HEIGHT - 4);
        path += `${drawing ? 'L' : 'M'}${(index * step).toFixed(1)} ${y.toFixed(1)}`;
        drawing = true;
    });
    const low = format(Math.min(...known));
    const high = format(Math.max(...known));
    return html`<svg class="sparkline" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label=${`${label}: between ${low} and ${high}`}><path d=${path} /></svg>`;
}
