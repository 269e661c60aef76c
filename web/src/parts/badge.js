// @ts-check
/** A state: an icon, a word and a colour, never the colour alone. */
import { html } from '../ui.js';
import { unknownSince } from '../link.js';
import { icon } from './icon.js';
import { clockTime } from './time.js';

/** @typedef {'good' | 'warn' | 'bad' | 'idle' | 'wait' | 'unknown'} Tone */

/** @param {Tone} tone @param {string} word */
export const badge = (tone, word) => html`<span class=${`badge ${tone}`}>${icon(tone)}<span>${word}</span></span>`;

/**
 * The same for what changes by itself: while nobody can ask, nobody knows.
 * @param {Tone} tone
 * @param {string} word
 * @param {number} [lost] since when it is not known
 */
export const liveBadge = (tone, word, lost = unknownSince()) => (lost ? badge('unknown', `Unknown, was ${word.toLowerCase()}`) : badge(tone, word));

/**
 * A number that changes by itself: absent, or old, it is `unknown since`, never 0 and never the last one.
 * @param {string | undefined} value
 * @param {number} [lost] since when it is not known
 */
export const number = (value, lost = unknownSince()) =>
    lost
        ? html`<span class="quiet">unknown since ${clockTime(lost)}</span>`
        : value === undefined
          ? html`<span class="quiet">not measured yet</span>`
          : html`<span class="number">${value}</span>`;
