// @ts-check
/** First minutes: from nothing to a picture. */
import { html } from '../ui.js';

export const open = () => ({
    title: () => 'First minutes',
    view: () => html`<header class="head"><h1>First minutes</h1></header>`,
});
