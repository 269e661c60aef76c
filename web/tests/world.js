/** What every spec begins with: a service, a page that may load nothing else, and somebody who has signed in. */
import os from 'node:os';
import { expect, test as base } from '@playwright/test';
import { startService } from './service.js';

export { expect };
export { eventually, mediamtx, startService } from './service.js';

/** @typedef {Awaited<ReturnType<typeof startService>>} Service */

export const test = base.extend({
    /** One for the specs of a worker. @type {any} */
    service: [async ({}, use) => {
        const service = await startService();
        await use(service);
        await service.stop();
    }, { scope: 'worker' }],

    /** Origins besides the service's own that a spec allows: those of its media server. */
    allowed: [async ({}, use) => use(new Set()), { auto: true }],

    /** Fails the spec if the page does what it must never do. */
    strict: [async ({ context, service, allowed }, use) => {
        const sins = [];
        allowed.add(service.origin);
        context.on('request', (request) => {
            const url = new URL(request.url());
            if (url.protocol.startsWith('http') && !allowed.has(url.origin)) sins.push(`a request left: ${url.origin}${url.pathname}`);
            if (/swt_|sk_[\w-]{20}/.test(request.url())) sins.push(`a secret in an address: ${url.pathname}`);
        });
        context.on('console', (message) => {
            if (/Content Security Policy|violates|TrustedScript/i.test(message.text())) sins.push(message.text());
        });
        context.on('weberror', (error) => sins.push(`an error of the page: ${error.error().stack}`));
        await context.exposeBinding('sinned', (_, what) => sins.push(what));
        await context.addInitScript(() => {
            addEventListener('securitypolicyviolation', (event) => /** @type {any} */ (globalThis).sinned(`violates the policy: ${event.violatedDirective} ${event.blockedURI}`));
        });
        await use(sins);
        expect(sins).toEqual([]);
    }, { auto: true }],

    /** Signs a context in, with an API token. */
    signIn: async ({ context }, use) => use(async (service, token = service.token) => {
        const answer = await context.request.post(`${service.url}session`, { data: { token }, headers: { origin: service.origin } });
        expect(answer.status()).toBe(201);
    }),

    /** A page of the admin, on a screen. */
    at: async ({ page, service, signIn }, use) => use(async (hash, token) => {
        await signIn(service, token);
        await page.goto(`${service.url}ui/${hash}`);
        // Another fragment alone loads nothing again.
        await page.reload();
        await expect(page.getByRole('navigation', { name: 'Areas' })).toBeVisible();
        await expect(page.locator('main h1')).toBeVisible();
        return page;
    }),
});

/** Rows of another spec do not matter. @param {string} what */
export const unique = (what) => `${what} ${Math.random().toString(36).slice(2, 8)}`;

/** What the promise says, on a machine that does nothing else: these specs are not part of the gate. */
const LONGEST_MS = 100;

/** Looks at the tasks that hold up a page; before it is loaded. @param {import('@playwright/test').Page} page */
export async function longTasks(page) {
    await page.addInitScript(() => {
        const tasks = /** @type {any} */ (globalThis).longTasks = [];
        new PerformanceObserver((list) => tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' });
    });
    return {
        reset: () => page.evaluate(() => (/** @type {any} */ (globalThis).longTasks.length = 0)),
        /** @param {string} what */
        async expectShort(what) {
            /** @type {number[]} */
            const tasks = await page.evaluate(() => /** @type {any} */ (globalThis).longTasks);
            const longest = Math.max(0, ...tasks);
            console.log(`${what}: the longest task took ${Math.round(longest)} ms; ${tasks.length} over 50 ms; the load of the machine is ${(os.loadavg()[0] / os.cpus().length).toFixed(1)} a processor`);
            expect(longest).toBeLessThan(LONGEST_MS);
        },
    };
}
