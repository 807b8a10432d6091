/** Physical directions would be wrong in one of the two languages; only logical ones are allowed. */
export default {
  extends: ['stylelint-config-standard'],
  plugins: ['stylelint-use-logical'],
  rules: {
    'csstools/use-logical': ['always', { severity: 'error' }],
    'selector-class-pattern': ['^[a-z][a-zA-Z0-9]*$', { message: 'class names are camelCase' }],
    'custom-property-pattern': '^[a-z][a-z0-9-]*$',
    'no-descending-specificity': null,
    'color-no-hex': true,
    'selector-pseudo-class-no-unknown': [true, { ignorePseudoClasses: ['global'] }],
    'declaration-property-value-disallowed-list': {
      '/^(float|clear|text-align)$/': ['left', 'right'],
    },
    'property-disallowed-list': [
      [
        'left',
        'right',
        'top',
        'bottom',
        'width',
        'height',
        'min-width',
        'max-width',
        'min-height',
        'max-height',
      ],
      { message: 'use the logical property (inset-*, inline-size, block-size)' },
    ],
  },
}
