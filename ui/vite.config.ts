import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Where `npm run dev` finds a running coordinator. */
const coordinator = process.env.CCTV_COORDINATOR ?? 'http://127.0.0.1:8080'

export default defineConfig(({ mode }) => ({
  plugins: [react()],
  // The mock build carries a service worker and a clip; neither may reach a real build.
  publicDir: mode === 'mock' ? 'mock-api/public' : 'public',
  resolve: { alias: { '@': here('./src'), '@mock': here('./mock-api') } },
  build: {
    outDir: mode === 'mock' ? 'dist-mock' : 'dist',
    target: ['chrome120', 'edge120', 'firefox121', 'safari16.4'],
    // The coordinator's content security policy allows no `data:` fonts or styles.
    assetsInlineLimit: 0,
    // The notices that the licences of what is bundled ask for.
    license: { fileName: 'licences.md' },
    chunkSizeWarningLimit: 600,
  },
  server: {
    proxy: {
      '/api': { target: coordinator, changeOrigin: false, ws: true },
      '/ws': { target: coordinator, changeOrigin: false, ws: true },
    },
  },
}))
