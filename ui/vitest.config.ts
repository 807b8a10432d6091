import { defineConfig, mergeConfig } from 'vitest/config'
import viteConfig from './vite.config.ts'

export default defineConfig((env) =>
  mergeConfig(
    viteConfig(env),
    defineConfig({
      test: {
        projects: [
          // Pure files need no browser, and not having one keeps them pure.
          {
            extends: true,
            test: {
              name: 'pure',
              environment: 'node',
              include: ['src/**/*.test.ts', 'mock-api/**/*.test.ts'],
            },
          },
          {
            extends: true,
            test: {
              name: 'page',
              environment: 'jsdom',
              environmentOptions: { jsdom: { url: 'http://localhost/' } },
              setupFiles: ['./testing/setup.ts'],
              include: ['src/**/*.test.tsx'],
            },
          },
        ],
        restoreMocks: true,
        // Days and clocks are tested far from the machine's own zone.
        env: { TZ: 'Asia/Dubai', DEBUG_PRINT_LIMIT: '0' },
        testTimeout: 30_000,
        css: { modules: { classNameStrategy: 'non-scoped' } },
      },
    }),
  ),
)
