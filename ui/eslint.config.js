import formatjs from 'eslint-plugin-formatjs'
import jsxA11y from 'eslint-plugin-jsx-a11y'
import reactHooks from 'eslint-plugin-react-hooks'
import tseslint from 'typescript-eslint'

const noBarrel = {
  selector: 'ExportAllDeclaration',
  message: 'no barrel files: import from the file that has it',
}
const noDefault = {
  selector: 'ExportDefaultDeclaration',
  message: 'no default exports: one thing, one name',
}
const noNestedComponent = {
  selector:
    ':function[id.name=/^[A-Z]/] :matches(FunctionDeclaration[id.name=/^[A-Z]/], VariableDeclarator[id.name=/^[A-Z][a-z]/] > ArrowFunctionExpression)',
  message: 'no component inside another: it would be a new one on every render',
}
const noIntl = {
  selector:
    "MemberExpression[object.name='Intl'], CallExpression[callee.property.name=/^toLocale/]",
  message: 'Intl lives in src/i18n/format.ts and src/time/zone.ts only',
}

/** Which folders a folder may not see (the directions of imports). */
const forbid = (files, ...patterns) => ({
  files,
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: patterns.map(([group, message]) => ({ group, message })),
      },
    ],
  },
})
const hls = [['hls.js'], 'hls.js has one importer: src/player/hls-source.ts']
const pages = [['@/pages/*', '@/layouts/*', '@/routes'], 'pages compose; nothing imports a page']

export default tseslint.config(
  {
    ignores: [
      'dist',
      'dist-mock',
      'node_modules',
      'src/api/generated',
      'mock-api/public',
      '*.config.js',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  jsxA11y.flatConfigs.strict,
  reactHooks.configs.flat.recommended,
  {
    languageOptions: { parserOptions: { projectService: true } },
    plugins: { formatjs },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      'no-restricted-syntax': ['error', noBarrel, noDefault, noNestedComponent, noIntl],
      'formatjs/no-literal-string-in-jsx': [
        'error',
        { props: { include: [['*', '{aria-label,title,alt,placeholder,label,hint}']] } },
      ],
    },
  },
  {
    files: ['src/i18n/format.ts', 'src/time/zone.ts'],
    rules: { 'no-restricted-syntax': ['error', noBarrel, noDefault, noNestedComponent] },
  },
  {
    files: ['**/*.test.{ts,tsx}', 'testing/**', 'mock-api/**'],
    rules: {
      'formatjs/no-literal-string-in-jsx': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      'no-restricted-syntax': ['error', noBarrel, noDefault],
    },
  },
  {
    files: ['vite.config.ts', 'vitest.config.ts', 'playwright.config.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },
  forbid(['src/**'], hls),
  forbid(['src/{cameras,agents,access,api,i18n,hooks,stores,time}/**'], hls, pages),
  forbid(['src/{people,account,audit}/**'], hls, pages, [
    ['@/player/*', '@/timeline/*', '@/agents/*'],
    'people are not about footage',
  ]),
  forbid(['src/player/**'], hls, pages, [
    ['@/timeline/*', '@/cameras/*', '@/wall/*'],
    'the player knows neither timeline nor cameras nor the wall',
  ]),
  forbid(['src/wall/**'], hls, pages),
  forbid(['src/timeline/**'], hls, pages, [
    ['@/player/*', '@/cameras/*'],
    'the timeline knows neither player nor cameras',
  ]),
  forbid(['src/ui/**'], hls, pages, [
    [
      '@/api/*',
      '@/cameras/*',
      '@/agents/*',
      '@/player/*',
      '@/timeline/*',
      '@/stores/*',
      '@/access/*',
      '@/people/*',
    ],
    'primitives know nothing of the product',
  ]),
  forbid(['src/player/hls-source.ts'], pages),
)
