// @ts-check
/** Access: who may publish, watch and manage. Each section is a file of its own. */
import { replace, to } from '../router.js';
import { can, canEverywhere, session } from '../session.js';
import { html, signal } from '../ui.js';
import { broadcasters } from './broadcasters.js';
import { keys } from './keys.js';
import { organizations } from './organizations.js';
import { people } from './people.js';
import { playback } from './playback.js';
import { tokens } from './tokens.js';
import { you } from './you.js';

/** @typedef {{ view: () => import('../ui.js').View, close?: () => void }} Section */
/** @type {{ id: string, label: string, shown: () => boolean, open: () => Section }[]} */
const sections = [
    { id: 'keys', label: 'Stream keys', shown: () => can('viewer'), open: keys },
    { id: 'broadcasters', label: 'Broadcasters', shown: () => can('viewer'), open: broadcasters },
    { id: 'playback', label: 'Playback links', shown: () => can('operator'), open: playback },
    { id: 'tokens', label: 'API tokens', shown: () => can('admin'), open: tokens },
    { id: 'people', label: 'People', shown: () => canEverywhere('admin'), open: people },
    { id: 'organizations', label: 'Organizations', shown: () => canEverywhere('admin'), open: organizations },
    { id: 'you', label: 'You', shown: () => !!session.value?.user, open: you },
];

/** @param {string[]} rest @returns {import('../areas.js').Screen} */
export function open(rest) {
    const mine = sections.filter((section) => section.shown());
    const at = signal('');
    /** @type {Section | undefined} */
    let section;
    /** @param {string | undefined} id */
    const show = (id) => {
        const found = mine.find((one) => one.id === id);
        if (!found) return mine[0] ? replace('access', mine[0].id) : undefined;
        if (found.id === at.peek()) return;
        section?.close?.();
        section = found.open();
        at.value = found.id;
    };
    show(rest[0] ?? mine[0]?.id);
    return {
        title: () => mine.find(({ id }) => id === at.value)?.label ?? 'Access',
        moved: ([id]) => show(id),
        close: () => section?.close?.(),
        view: () => html`<header class="head"><h1>Access</h1></header>
            <div class="tabs" role="navigation" aria-label="Sections of Access">${mine.map(({ id, label }) => html`<a href=${to('access', id)} aria-current=${at.value === id ? 'page' : undefined}>${label}</a>`)}</div>
            ${mine.length === 0 ? html`<p>You have no role in any organization yet. An administrator gives you one.</p>` : at.value && section?.view()}`,
    };
}
