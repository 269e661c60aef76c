// @ts-check
/** The frame: navigation, the banner of a lost line, and the screen of the address. */
import { areas } from './areas.js';
import { ApiError, asApiError } from './api.js';
import { failing, line, unknownSince } from './link.js';
import { closeDialogs, openDialog } from './parts/dialog.js';
import { attempt, button } from './parts/button.js';
import { duration } from './parts/format.js';
import { icon } from './parts/icon.js';
import { problem, waiting } from './parts/problem.js';
import { clockTime } from './parts/time.js';
import { go, replace, route, to } from './router.js';
import { session, signOut } from './session.js';
import { dark, theme } from './theme.js';
import { effect, html, now, region, signal, untracked } from './ui.js';

/** @typedef {import('./areas.js').Screen} Screen */

/** @type {import('./ui.js').Signal<{ area: string, rest: string, screen?: Screen, failed?: unknown }>} */
const current = signal({ area: '', rest: '' });

const shown = () => areas.filter((area) => area.shown());

effect(() => {
    const { area, rest } = route.value;
    if (!session.value) return;
    untracked(() => void openScreen(area, rest));
});
effect(() => {
    const title = current.value.screen?.title();
    document.title = session.value && title ? `${title} · Streamward` : 'Streamward';
});
session.subscribe((value) => {
    if (value) return;
    closeDialogs();
    current.peek().screen?.close?.();
    current.value = { area: '', rest: '' };
});

/** @param {string} id @param {string[]} rest */
async function openScreen(id, rest) {
    const area = shown().find((one) => one.id === id);
    if (!area) return replace('live' in Object.fromEntries(shown().map((one) => [one.id, 1])) ? 'live' : shown()[0].id);
    const before = current.peek();
    const place = rest.join('/');
    if (before.screen && before.area === id && (before.rest === place || before.screen.moved)) {
        before.screen.moved?.(rest);
        current.value = { ...before, rest: place };
        return;
    }
    closeDialogs();
    before.screen?.close?.();
    current.value = { area: id, rest: place };
    try {
        const { open } = await area.load();
        const isCurrent = () => current.peek().area === id && current.peek().rest === place && !!session.peek();
        if (!isCurrent()) return;
        const screen = await open(rest);
        if (!isCurrent()) return screen.close?.();
        current.value = { area: id, rest: place, screen };
        // Screen readers and the keyboard go on at the new screen.
        if (before.area && before.area !== id) document.getElementById('main')?.focus({ preventScroll: true });
        scrollTo(0, 0);
    } catch (failed) {
        current.value = { area: id, rest: place, failed };
    }
}

function banner() {
    const { state } = line.value;
    const since = unknownSince();
    if (since) {
        const why = failing.value?.why;
        return html`<div class="banner bad" role="alert">${icon('warn')}<p><strong>${why ? 'Streamward cannot answer' : 'No connection to Streamward'} since ${clockTime(since)}.</strong> ${why ? `${why} ` : ''}<span aria-hidden="true">What you see is ${duration(now.value - since)} old.</span> Numbers that change are unknown. The page goes on by itself when Streamward answers.</p></div>`;
    }
    if (state === 'polling')
        return html`<div class="banner" role="status">${icon('wait')}<p>Changes are not pushed to this page. It asks every 5 s instead.</p></div>`;
    return null;
}

function screen() {
    const { screen: opened, failed } = current.value;
    if (failed) {
        // A file of an older version is no longer there: the whole page must be loaded again.
        const old = /dynamically imported module/.test(String(failed));
        return problem(old ? new ApiError({ status: 0, title: 'This screen could not be loaded', detail: 'Streamward was updated, or is not reached. Load the page again.' }) : asApiError(failed), () => location.reload());
    }
    return opened ? region(() => opened.view(), `${current.value.area}/${current.value.rest}`) : waiting();
}

/** @param {(typeof areas)[number]} area */
const link = (area) => html`<a href=${to(area.id)} key=${area.id} aria-current=${route.value.area === area.id ? 'page' : undefined}>${icon(area.icon)}<span>${area.label}</span></a>`;

/** Five fit on a phone; the others stand behind "More". */
const FIRST = 4;

function navigation() {
    const all = shown();
    const rest = all.length > FIRST + 1 ? all.slice(FIRST) : [];
    return html`<nav aria-label="Areas">
        <a class="brand" href="#/live"><svg viewBox="0 0 32 32" aria-hidden="true"><path class="shield" d="M16 3l12 4.500v8c0 7-5 11.500-12 14-7-2.500-12-7-12-14v-8z"/><path class="sign" d="M13 11.500v9l7.500-4.500z"/></svg><span>Streamward</span></a>
        <div class="areas">
            ${all.map((area, index) => html`<div class=${rest.length && index >= FIRST ? 'later' : ''} key=${area.id}>${link(area)}</div>`)}
            ${rest.length ? html`<details class="more"><summary>${icon('more')}<span>More</span></summary><div class="popup" onClick=${(/** @type {any} */ event) => event.currentTarget.parentElement.removeAttribute('open')}>${rest.map(link)}</div></details>` : null}
        </div>
        ${person()}
    </nav>`;
}

function person() {
    const who = session.value;
    const name = /** @type {any} */ (who)?.name || who?.user?.display_name || who?.user?.email || who?.actor || '';
    const role = who?.role ?? (who?.roles.length ? who.roles.map((one) => one.role).filter((one, index, all) => all.indexOf(one) === index).join(', ') : 'no role');
    return html`<details class="person"><summary aria-label="You and this page">${icon('person')}<span class="who"><span>${name}</span><small>${role}</small></span></summary><div class="popup">
        <p class="quiet">${name} · ${role}</p>
        ${button({ label: dark() ? 'Light colours' : 'Dark colours', icon: dark() ? 'sun' : 'moon', kind: 'quiet', action: () => (theme.value = dark() ? 'light' : 'dark') })}
        ${button({ label: 'Keys of the keyboard', icon: 'unknown', kind: 'quiet', action: help })}
        ${button({ label: 'Sign out', icon: 'out', kind: 'quiet', action: () => attempt(signOut) })}
    </div></details>`;
}

export const shell = () => html`<a class="skip" href="#main" onClick=${(/** @type {Event} */ event) => {
    event.preventDefault();
    document.getElementById('main')?.focus();
}}>Skip to the content</a>
<div class="shell">${region(navigation)}<div class="column">${region(banner)}<main id="main" tabindex="-1">${region(screen)}</main></div></div>`;

function help() {
    openDialog({
        title: 'Keys of the keyboard',
        view: () => html`<dl class="keys">
            <dt><kbd>/</kbd></dt><dd>Search on this screen</dd>
            ${shown().map((area) => html`<dt><kbd>g</kbd> <kbd>${area.key}</kbd></dt><dd>Go to ${area.label}</dd>`)}
            <dt><kbd>?</kbd></dt><dd>This list</dd>
            <dt><kbd>Esc</kbd></dt><dd>Close a dialog</dd>
        </dl>`,
    });
}

let lastKey = { key: '', at: 0 };
addEventListener('keydown', (event) => {
    const target = event.target;
    const typing = target instanceof HTMLElement && (target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName));
    if (!session.peek() || typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
    if (lastKey.key === 'g' && Date.now() - lastKey.at < 1_500) {
        const area = shown().find((one) => one.key === event.key);
        if (area) {
            event.preventDefault();
            go(area.id);
        }
        lastKey = { key: '', at: 0 };
        return;
    }
    lastKey = { key: event.key, at: Date.now() };
    if (event.key === '/') {
        const field = /** @type {HTMLElement | null} */ (document.querySelector('main input[type=search]'));
        if (field) {
            event.preventDefault();
            field.focus();
        }
    } else if (event.key === '?') {
        event.preventDefault();
        help();
    }
});
// A menu closes when something else is used.
addEventListener('click', (event) => {
    for (const menu of document.querySelectorAll('nav details[open]'))
        if (!(event.target instanceof Node && menu.contains(event.target))) menu.removeAttribute('open');
});
