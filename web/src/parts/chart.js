// @ts-check
/** A chart over time, by uPlot, which is loaded when the first one is drawn. What it shows also stands in a sentence. */
import { elementId, html, part, effect, signal } from '../ui.js';
import { ownScript } from '../trusted.js';
import { theme } from '../theme.js';

/** @type {Promise<any> | undefined} */
let library;

/** A script of the old kind: it leaves a name behind instead of exporting. */
const load = () => (library ??= new Promise((resolve, reject) => {
    const style = document.createElement('link');
    style.rel = 'stylesheet';
    style.href = new URL('../../vendor/uPlot.min.css', import.meta.url).href;
    const script = document.createElement('script');
    script.src = ownScript('vendor/uPlot.iife.min.js');
    script.onload = () => resolve(/** @type {any} */ (globalThis).uPlot);
    script.onerror = () => reject(new Error('The chart could not be loaded. Load the page again.'));
    document.head.append(style, script);
}));

/** @typedef {{ at: number, value: number | undefined }} Point */
/** @param {{ label: string, points: Point[], format: (value: number) => string | undefined }} options */
export const chart = (options) => part(draw, options);

/** @param {{ label: string, points: Point[], format: (value: number) => string | undefined }} first @param {(what: () => void) => void} leaving */
function draw(first, leaving) {
    const id = elementId('chart');
    const points = signal(first.points);
    const failed = signal('');
    /** @type {any} */
    let plot;
    /** @type {ResizeObserver | undefined} */
    let sizes;
    const data = () => [points.value.map(({ at }) => at / 1000), points.value.map(({ value }) => value ?? null)];
    const build = async (/** @type {HTMLElement} */ place) => {
        const UPlot = await load();
        if (!place.isConnected) return;
        plot?.destroy();
        const colour = (/** @type {string} */ name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
        const axis = { stroke: colour('--quiet'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line'), width: 1 } };
        plot = new UPlot({
            width: place.clientWidth,
            height: 200,
            legend: { show: false },
            cursor: { y: false },
            scales: { y: { range: (/** @type {any} */ _, /** @type {number} */ _low, /** @type {number} */ high) => [0, (high || 1) * 1.1] } },
            axes: [axis, { ...axis, size: 78, values: (/** @type {any} */ _, /** @type {number[]} */ values) => values.map((value) => first.format(value) ?? '') }],
            series: [{}, { stroke: colour('--accent'), width: 2, fill: colour('--accent-ground'), spanGaps: false, points: { show: false } }],
        }, data(), place);
    };
    const mount = (/** @type {HTMLElement | null} */ place) => {
        if (!place || sizes) return;
        build(place).catch((error) => (failed.value = error.message));
        sizes = new ResizeObserver(() => plot?.setSize({ width: place.clientWidth, height: 200 }));
        sizes.observe(place);
        let was = theme.peek();
        leaving(theme.subscribe((now) => now !== was && ((was = now), void build(place))));
        const device = matchMedia('(prefers-color-scheme: dark)');
        const again = () => void build(place);
        device.addEventListener('change', again);
        leaving(() => device.removeEventListener('change', again));
    };
    leaving(effect(() => {
        const next = data();
        plot?.setData(next);
    }));
    leaving(() => {
        sizes?.disconnect();
        plot?.destroy();
    });
    return (/** @type {{ label: string, points: Point[], format: (value: number) => string | undefined }} */ { label, points: now, format }) => {
        queueMicrotask(() => (points.value = now));
        const known = /** @type {number[]} */ (now.map(({ value }) => value).filter((value) => value !== undefined));
        const said = known.length ? `${label}: between ${format(Math.min(...known))} and ${format(Math.max(...known))}, now ${format(known[known.length - 1])}.` : `${label}: not measured yet.`;
        return html`<div class="chart" id=${id} ref=${mount} role="img" aria-label=${said}></div>${failed.value ? html`<p class="wrong">${failed.value}</p>` : null}`;
    };
}
