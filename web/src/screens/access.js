// @ts-check
/** Access: who may publish, watch and manage. */
import { html } from '../ui.js';

export const open = () => ({
    title: () => 'Access',
    view: () => html`<header class="head"><h1>Access</h1></header>`,
});
