// @ts-check
/** A screen of sections, one of which is open. */
import { replace, to } from '../router.js';
import { html, signal } from '../ui.js';

/** @typedef {{ view: () => import('../ui.js').View, close?: () => void }} Section */
/** @typedef {{ id: string, label: string, shown: () => boolean, open: () => Section }} Entry */
/** `none` is said to somebody who may see no section. @typedef {{ area: string, title: string, sections: Entry[], tabs: string, none?: string }} Sections */

/** On a phone a long row of sections scrolls. @param {HTMLElement | null} element */
const inSight = (element) => element?.scrollIntoView({ block: 'nearest', inline: 'center' });

/** @param {Sections} screen @param {string[]} rest @returns {import('../areas.js').Screen} */
export function openSections({ area, title, sections, tabs, none }, rest) {
    const mine = sections.filter((section) => section.shown());
    const at = signal('');
    /** @type {Section | undefined} */
    let section;
    /** @param {string | undefined} id */
    const show = (id) => {
        const found = mine.find((one) => one.id === id);
        if (!found) return mine[0] ? replace(area, mine[0].id) : undefined;
        if (found.id === at.peek()) return;
        section?.close?.();
        section = found.open();
        at.value = found.id;
    };
    show(rest[0] ?? mine[0]?.id);
    const scrolls = tabs !== 'tabs';
    return {
        title: () => mine.find(({ id }) => id === at.value)?.label ?? title,
        moved: ([id]) => show(id),
        close: () => section?.close?.(),
        view: () => html`<header class="head"><h1>${title}</h1></header>
            <div class=${tabs} role="navigation" aria-label=${`Sections of ${title}`}>${mine.map(({ id, label }) => html`<a href=${to(area, id)} aria-current=${at.value === id ? 'page' : undefined} ref=${scrolls && at.value === id ? inSight : undefined}>${label}</a>`)}</div>
            ${none && mine.length === 0 ? html`<p>${none}</p>` : at.value && section?.view()}`,
    };
}
