// @ts-check
/** What every view is written with. Views are plain functions, called as functions: so `tsc` checks their arguments. */
import { h } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import htm from 'htm';
import { signal } from '@preact/signals';

export { h, render } from 'preact';
export { signal, computed, effect, batch, untracked } from '@preact/signals';

/** @typedef {import('preact').ComponentChild} View */
/**
 * @template T
 * @typedef {import('@preact/signals').Signal<T>} Signal
 */
/**
 * @template T
 * @typedef {import('@preact/signals').ReadonlySignal<T>} ReadonlySignal
 */

/** @type {(strings: TemplateStringsArray, ...values: unknown[]) => any} */
export const html = htm.bind(h);

/** @param {{ view: () => View }} props */
function Region({ view }) {
    return view();
}

/**
 * A part of the page that is drawn again by itself when a signal changes that it has read.
 * @param {() => View} view
 * @param {string} [key]
 * @returns {View}
 */
export const region = (view, key) => h(Region, { view, key });

/** @param {{ make: (args: any, leaving: (what: () => void) => void) => (args: any) => View, args: any }} props */
function Part({ make, args }) {
    const [{ view, last }] = useState(() => {
        /** @type {(() => void)[]} */
        const last = [];
        return { view: make(args, (what) => last.push(what)), last };
    });
    useEffect(() => () => last.forEach((what) => what()), [last]);
    return view(args);
}

/**
 * A part with a state of its own: `make` runs once, and its view is drawn as long as the part is shown at this place.
 * What is given to `leaving` is called when it no longer is.
 * @template A
 * @param {(args: A, leaving: (what: () => void) => void) => (args: A) => View} make
 * @param {A} args
 * @param {string} [key]
 * @returns {View}
 */
export const part = (make, args, key) => h(Part, { make, args, key });

/** The time, once a second while somebody looks. Whatever shows an age or a duration reads it. */
export const now = signal(Date.now());
setInterval(() => {
    if (!document.hidden) now.value = Date.now();
}, 1000);
document.addEventListener('visibilitychange', () => {
    now.value = Date.now();
});

let counter = 0;
/** An id for an element. `crypto.randomUUID` does not exist on plain http. */
export const elementId = (prefix = 'e') => `${prefix}${++counter}`;
