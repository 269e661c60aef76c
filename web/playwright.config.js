import { defineConfig } from '@playwright/test';
import { execFileSync } from 'node:child_process';

/** Debian's Chromium: Playwright's own is not downloaded. */
const chromium = process.env.CHROMIUM_BIN ?? execFileSync('sh', ['-c', 'command -v chromium || command -v chromium-browser || command -v google-chrome']).toString().trim();

export default defineConfig({
    testDir: 'tests',
    timeout: 45_000,
    expect: { timeout: 10_000 },
    retries: process.env.CI ? 2 : 0,
    workers: 2,
    fullyParallel: false,
    reporter: [['list']],
    use: {
        browserName: 'chromium',
        trace: 'retain-on-failure',
        launchOptions: {
            executablePath: chromium,
            args: ['--no-sandbox', '--disable-dev-shm-usage', '--autoplay-policy=no-user-gesture-required', '--host-resolver-rules=MAP ui.test 127.0.0.1', '--force-webrtc-ip-handling-policy=default'],
        },
        locale: 'en-GB',
        timezoneId: 'Europe/Vienna',
    },
});
