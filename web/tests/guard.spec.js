/** The other specs trust that `strict` sees what the page must never do: here it does. */
import { expect, test } from './world.js';

test('a violation of the policy, a request that leaves, a secret in an address and an error are seen', { tag: '@gate' }, async ({ at, page, strict }) => {
    await at('#/live');
    expect(strict).toEqual([]);
    await page.evaluate(() => {
        const script = document.createElement('script');
        script.append('document.title = "run"');
        try {
            document.body.append(script);
        } catch {
            // Trusted types may refuse it at once.
        }
        const image = new Image();
        image.src = 'http://192.0.2.1/a.png';
        document.body.append(image);
        void fetch('../livez?key=swt_abc').catch(() => {});
        setTimeout(() => {
            throw new Error('on purpose');
        });
    });
    for (const sin of ['violates', 'a secret in an address', 'on purpose']) await expect.poll(() => strict.join('\n')).toContain(sin);
    expect(await page.title()).not.toBe('run');
    // It goes out where the policy cannot stop it: to another page.
    await page.goto('http://127.0.0.1:9/').catch(() => {});
    await expect.poll(() => strict.join('\n')).toContain('a request left: http://127.0.0.1:9');
    strict.length = 0;
});
