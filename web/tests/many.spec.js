/** A thousand live streams. `SOAK_MINUTES=60` is the hour that is promised; every run looks at two minutes. */
import { eventually, expect, longTasks, startService, test as base } from './world.js';

const MANY = 1_000;
const SOAK_MS = Number(process.env.SOAK_MINUTES ?? 2) * 60_000;
const MIB = 1024 * 1024;
const path = (/** @type {number} */ index) => `live/many-${String(index).padStart(4, '0')}`;

const test = base.extend({
    service: [async ({}, use) => {
        const service = await startService();
        const broadcaster = await service.call('POST', 'broadcasters', { display_name: 'Many' });
        /** @type {{ path: string, key_value: string }[]} */
        const keys = [];
        for (let from = 0; from < MANY; from += 20)
            keys.push(...await Promise.all(Array.from({ length: 20 }, (_, more) => service.call('POST', 'stream-keys', { broadcaster_id: broadcaster.id, path: path(from + more) }))));
        for (const key of keys) await arrives(service, key);
        await eventually(async () => (await service.call('GET', 'streams')).streams.length === MANY, 'a thousand streams are live', 60_000);
        await use(Object.assign(service, { keys }));
        await service.stop();
    }, { scope: 'worker', timeout: 300_000 }],
});

/** The next poll of the media server finds it. @param {any} service @param {{ path: string, key_value: string }} key */
async function arrives(service, key) {
    const { allowed, id } = await service.knock(key.path, key.key_value);
    if (!allowed) throw new Error(`${key.path} was refused`);
    service.media.live.set(key.path, { id, since: Date.now(), readers: 0 });
    return id;
}

/** Streams end and begin, one after the other, until the answer is called. @param {any} service @param {number} every */
function changing(service, every) {
    let goes = true;
    /** @type {any[]} those that have ended and come back later */
    const gone = [];
    const done = (async () => {
        for (let index = 0; goes; index = (index + 1) % MANY) {
            const key = service.keys[index];
            const there = service.media.live.get(key.path);
            if (there) {
                await service.tell('not-ready', key.path, there.id);
                gone.push(key);
            }
            if (gone.length > 20) {
                const back = gone.shift();
                const { allowed, id } = await service.knock(back.path, back.key_value);
                if (allowed) await service.tell('ready', back.path, id);
                else gone.push(back);
            }
            await new Promise((resolve) => setTimeout(resolve, every));
        }
    })();
    return () => {
        goes = false;
        return done;
    };
}

// A trace draws the page too.
test.use({ trace: 'off' });
test.setTimeout(SOAK_MS + 300_000);

test('a thousand live streams change and are scrolled without a task over 100 ms', async ({ at, page, service }) => {
    const tasks = await longTasks(page);
    await at('#/live');
    await expect(page.getByRole('heading', { level: 1 })).toContainText(/1,000|9\d\d/);
    await tasks.reset();
    const stop = changing(service, 100);
    for (let rounds = 0; rounds < 60; rounds += 1) {
        await page.mouse.wheel(0, rounds < 40 ? 900 : -900);
        await page.waitForTimeout(250);
    }
    await page.getByRole('searchbox').fill('many-07');
    await expect.poll(() => page.locator('.tile').count()).toBeLessThanOrEqual(100);
    await page.getByRole('searchbox').fill('many-0999');
    await expect(page.locator('.tile')).toHaveCount(1);
    await stop();
    await tasks.expectShort('1,000 live streams');
});

test('the memory is flat while they change', async ({ at, page, service }) => {
    await at('#/live');
    await expect(page.getByRole('heading', { level: 1 })).toContainText(/1,000|9\d\d/);
    const session = await page.context().newCDPSession(page);
    await session.send('Performance.enable');
    const look = async () => {
        await session.send('HeapProfiler.collectGarbage');
        await session.send('HeapProfiler.collectGarbage');
        const { metrics } = await session.send('Performance.getMetrics');
        const value = (/** @type {string} */ wanted) => metrics.find(({ name }) => name === wanted)?.value ?? NaN;
        return { heap: value('JSHeapUsedSize'), nodes: value('Nodes'), listeners: value('JSEventListeners') };
    };
    const stop = changing(service, 250);
    const warm = Math.min(SOAK_MS / 4, 600_000);
    await page.waitForTimeout(warm);
    const first = await look();
    await page.waitForTimeout(SOAK_MS - warm);
    const last = await look();
    await stop();
    const mib = (/** @type {number} */ bytes) => (bytes / MIB).toFixed(1);
    console.log(`memory in ${Math.round((SOAK_MS - warm) / 1000)} s: ${mib(first.heap)} → ${mib(last.heap)} MiB, nodes ${first.nodes} → ${last.nodes}, listeners ${first.listeners} → ${last.listeners}`);
    // The lines of a thousand bitrates fill for five minutes: 60 values each.
    expect(last.heap - first.heap).toBeLessThan(6 * MIB);
    expect(last.nodes).toBeLessThan(first.nodes * 1.2 + 200);
    expect(last.listeners).toBeLessThan(first.listeners * 1.2 + 100);
});
